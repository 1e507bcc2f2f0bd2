import { type Blas, type SiteWeight, type SolverSetting, type SolverStatistics } from "@mbs/contracts";
import { restoreOrder, transposeInOrder } from "@mbs/numbers";

/** The option of solvers that can aim at the dense model's outputs. */
export const qepOption = {
  kind: "number",
  description:
    "how much of the difference to the dense model's outputs weights are corrected by first, from none (0) to all (1); above 0 a run computes the dense states too; if not given: 0.5 in a recipe with sequential propagation, but for a mixture of experts, otherwise 0",
  minimum: 0,
  maximum: 1,
  optional: true,
} as const;

/** The share where none is given: the paper's α, where there are cross-moments; docs/measured/quantisers.md has others. */
export const qepDefault = ({ crossMoments }: SolverSetting): { readonly qep?: number } => (crossMoments ? { qep: 0.5 } : {});

/**
 * The damping of the factor that corrected weights want: H⁻¹ fits them to the calibration text, and with a hundredth of the mean
 * diagonal too closely. Other figures are in docs/measured/quantisers.md.
 */
export const qepDamping = (share: number): number | undefined => (share === 0 ? undefined : 0.05);

/** What `propagateError` reads beside the factor. */
export const readsOfQep = (share: number): readonly "crossMoment"[] => (share === 0 ? [] : ["crossMoment"]);

/**
 * Weights that give, on the inputs x of the compressed model, what W gives on the dense model's x̃: W + α·W·C·H⁻¹, with
 * C = E[(x̃ - x) xᵀ]. With α = 1 they have the least E‖W·x̃ - V·x‖² of all V, but for H's damping. What is rounded afterwards is
 * then these weights.
 *
 * @param statistics those of `readsOfQep`, and the factor
 * @param alpha share of the correction: all of it fits the calibration text too closely; with 0 the weights stay as they are
 * @returns [rows, columns]
 * @see arXiv:2504.09629 (QEP)
 */
export async function propagateError(
  blas: Blas,
  { values, rows, columns }: SiteWeight,
  statistics: Pick<SolverStatistics, "crossMoment" | "factor">,
  alpha: number,
): Promise<Float32Array> {
  if (alpha === 0) return values;
  const { crossMoment, factor } = statistics;
  const { order } = factor;
  const square = (matrix: Float32Array) => ({ rows: columns, columns, values: matrix });
  const tall = (matrix: Float32Array) => ({ rows: columns, columns: rows, values: matrix });
  // a copy, since it may lie in shared memory
  const upper = square(factor.upper.slice());
  const missing = await blas.gemm({ rows, columns, values }, square(crossMoment));
  // H⁻¹ is symmetric: (M·H⁻¹)ᵀ = Uᵀ·(U·Mᵀ)
  const projected = await blas.gemm(upper, tall(transposeInOrder(missing.values, rows, columns, order)));
  const correction = await blas.gemm(upper, projected, { transposeA: true, alpha });
  const corrected = restoreOrder(correction.values, rows, columns, order);
  addTo(corrected, values);
  return corrected;
}

// a loop of its own: within an async function it takes several times as long
function addTo(sum: Float32Array, values: Float32Array): void {
  for (let index = 0; index < sum.length; index += 1) sum[index]! += values[index]!;
}
