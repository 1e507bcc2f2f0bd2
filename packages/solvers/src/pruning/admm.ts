import { InterruptedError, type Blas, type Matrix } from "@mbs/contracts";
import { inverseFactor } from "@mbs/numbers";
import type { LayerProblem } from "./layer-problem.ts";

/** Chooses the weights to keep by their sizes, not negative: 1 where one is kept, [rows, columns]. */
export type ChooseKept = (sizes: Float32Array) => Uint8Array;

/** |values|. */
export function sizesOf(values: Float32Array): Float32Array {
  const sizes = new Float32Array(values.length);
  for (let index = 0; index < sizes.length; index += 1) sizes[index] = Math.abs(values[index]!);
  return sizes;
}

/** What ADMM has found. */
export interface AdmmState {
  /** B, [rows, columns]: the weights of least error that are drawn to D. */
  readonly free: Float32Array;
  /** The mask of D, [rows, columns]. */
  readonly mask: Uint8Array;
}

export interface Admm {
  /** The mask at the beginning: without the smallest of the dense weights. */
  readonly firstMask: Uint8Array;
  /**
   * One iteration: B = (G - V + ρD)·(H + ρI)⁻¹, D = the weights to keep of B + V/ρ, V += ρ(B - D), G being what the problem wants.
   * It takes a product of rows · columns² multiplications; another ρ than before takes 2 · columns³ besides.
   *
   * @param penalty ρ, above 0
   */
  step(penalty: number): Promise<AdmmState>;
  /** Back to the beginning: D the dense weights on the first mask, V zero. */
  restart(): void;
}

/** (H + ρI)⁻¹, [columns, columns]. */
async function ridgeInverse(blas: Blas, { values, columns }: Matrix, penalty: number): Promise<Matrix> {
  const ridged = values.slice();
  for (let index = 0; index < ridged.length; index += columns + 1) ridged[index]! += penalty;
  const upper = { rows: columns, columns, values: await inverseFactor(blas, ridged, columns) };
  return blas.gemm(upper, upper, { transposeA: true });
}

/**
 * ADMM on the layer problem with a mask of given size.
 *
 * @param relaxation 1 for the paper's; above it, B is taken as farther from D by that factor (over-relaxation)
 * @see arXiv:2406.07831 section 3.1
 */
export function createAdmm(
  blas: Blas,
  { dense, hessian, wanted }: LayerProblem,
  choose: ChooseKept,
  relaxation: number,
  signal: AbortSignal,
): Admm {
  const { rows, columns } = dense;
  const count = rows * columns;
  const goal = wanted.values;
  const pruned = new Float32Array(count);
  const multipliers = new Float32Array(count);
  const moved = new Float32Array(count);
  const state = { free: new Float32Array(count), mask: choose(sizesOf(dense.values)) };
  const first = state.mask;
  let inverse: { readonly penalty: number; readonly matrix: Matrix } | undefined;
  const restart = (): void => {
    state.mask = first;
    for (let index = 0; index < count; index += 1) pruned[index] = first[index] === 1 ? dense.values[index]! : 0;
    multipliers.fill(0);
  };
  restart();
  return {
    firstMask: first,
    restart,
    async step(penalty) {
      if (signal.aborted) throw new InterruptedError("stopped while solving a site");
      if (inverse?.penalty !== penalty) inverse = { penalty, matrix: await ridgeInverse(blas, hessian, penalty) };
      const { free } = state;
      for (let index = 0; index < count; index += 1) {
        moved[index] = goal[index]! - multipliers[index]! + penalty * pruned[index]!;
      }
      await blas.gemm({ rows, columns, values: moved }, inverse.matrix, { into: free });
      const distance = 1 / penalty;
      for (let index = 0; index < count; index += 1) {
        const drawn = pruned[index]!;
        moved[index] = drawn + relaxation * (free[index]! - drawn) + multipliers[index]! * distance;
      }
      const mask = choose(sizesOf(moved));
      // products, since half of the branches would be guessed wrong
      for (let index = 0; index < count; index += 1) {
        const kept = mask[index]!;
        const value = moved[index]!;
        // V + ρ(B - D) is ρ times what D does not take of B + V/ρ
        pruned[index] = kept * value;
        multipliers[index] = (1 - kept) * penalty * value;
      }
      state.mask = mask;
      return state;
    },
  };
}
