import { at, defineSolver, type LanguageDiagonal } from "@mbs/contracts";
import { normPruningOptions, pruneByNorm } from "./pruning/norm-pruning.ts";
import { noCodes } from "./pruning/pattern.ts";

/**
 * Variance over the languages of √E[x²], a column; every language counts once, whatever its weight in the mix.
 *
 * @returns length columns; zeros where there is one language
 */
function normVariance(languages: readonly LanguageDiagonal[], columns: number): Float64Array {
  const variance = new Float64Array(columns);
  for (let column = 0; column < columns; column += 1) {
    const norms = languages.map(({ values }) => Math.sqrt(at(values, column)));
    const mean = norms.reduce((sum, norm) => sum + norm, 0) / norms.length;
    variance[column] = norms.reduce((sum, norm) => sum + (norm - mean) ** 2, 0) / norms.length;
  }
  return variance;
}

/**
 * After M-Wanda: Wanda, with inputs counting for more whose size differs between languages. The score of a weight is
 * |w|·√(E[x²] + λ·V), V the variance of the languages' input norms. docs/measured/multilingual-pruning.md says what of the paper
 * this is.
 */
export const mWanda = defineSolver({
  name: "m-wanda",
  source: "https://arxiv.org/abs/2505.21171",
  summary: "wanda that spares inputs which languages use differently",
  needs: ["diagonal", "languageDiagonals"],
  options: {
    ...normPruningOptions,
    variance: {
      kind: "number",
      description: "weight of the variance between languages, added to the mean square; 0 is wanda",
      default: 1,
      minimum: 0,
    },
  },
  plannedCodes: noCodes,
  solve(weight, { diagonal, languageDiagonals }, options) {
    const variance = normVariance(languageDiagonals, weight.columns);
    const norms = diagonal.map((square, column) => Math.sqrt(square + options.variance * at(variance, column)));
    return pruneByNorm(weight, norms, options);
  },
});
