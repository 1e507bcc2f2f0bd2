import { UsageError } from "@mbs/contracts";
import { largestSparsity } from "@mbs/numbers";

export interface BlockImportance {
  readonly parameters: number;
  /** The more, the less sparse. */
  readonly importance: number;
}

/**
 * Spreads sparsity over blocks: linear in their importance, 2·spread between the extremes, the mean over all weights as asked.
 *
 * @param target share of all weights to be set to zero
 * @param spread λ ≥ 0
 * @returns the sparsity of each block
 * @throws {UsageError} where a block's sparsity would be below 0 or above the largest that solvers take
 * @see arXiv:2310.05175 §3
 */
export function spreadSparsity(blocks: readonly BlockImportance[], target: number, spread: number): number[] {
  const importances = blocks.map(({ importance }) => importance);
  const least = Math.min(...importances);
  const range = Math.max(...importances) - least;
  const shifted = blocks.map(({ parameters, importance }) => ({
    parameters,
    shift: range > 0 ? (2 * spread * (importance - least)) / range : 0,
  }));
  const total = blocks.reduce((sum, { parameters }) => sum + parameters, 0);
  const mean = shifted.reduce((sum, { parameters, shift }) => sum + parameters * shift, 0) / total;
  const sparsities = shifted.map(({ shift }) => target + mean - shift);
  const wrong = sparsities.find((sparsity) => sparsity < 0 || sparsity > largestSparsity);
  if (wrong !== undefined) {
    throw new UsageError(
      `allocate: at a sparsity of ${target} and a spread of ${spread} a block would lose ${wrong.toFixed(3)} of its weights; take a smaller --spread`,
      { sparsity: wrong },
    );
  }
  return sparsities;
}
