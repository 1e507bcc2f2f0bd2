import { at, type Blas, type Factor, type SiteWeight } from "@mbs/contracts";
import { restoreOrder, transposeInOrder } from "@mbs/numbers";

/**
 * Weights that give, on the inputs x of the compressed model, what W gives on the dense model's x̃: W + α·W·C·H⁻¹, with
 * C = E[(x̃ - x) xᵀ]. With α = 1 they have the least E‖W·x̃ - V·x‖² of all V, but for H's damping. What is rounded afterwards is
 * then these weights.
 *
 * @param crossMoment C, [columns, columns], natural order
 * @param alpha share of the correction: all of it fits the calibration text too closely
 * @returns [rows, columns], a new array
 * @see arXiv:2504.09629 (QEP)
 */
export async function propagateError(
  blas: Blas,
  { values, rows, columns }: SiteWeight,
  { crossMoment, factor }: { readonly crossMoment: Float32Array; readonly factor: Factor },
  alpha: number,
): Promise<Float32Array> {
  const { order } = factor;
  const square = (matrix: Float32Array) => ({ rows: columns, columns, values: matrix });
  const tall = (matrix: Float32Array) => ({ rows: columns, columns: rows, values: matrix });
  // a copy, since it may lie in shared memory
  const upper = square(factor.upper.slice());
  const missing = await blas.gemm({ rows, columns, values }, square(crossMoment));
  // H⁻¹ is symmetric: (M·H⁻¹)ᵀ = Uᵀ·(U·Mᵀ)
  const projected = await blas.gemm(upper, tall(transposeInOrder(missing.values, rows, columns, order)));
  const correction = await blas.gemm(upper, projected, { transposeA: true, alpha });
  return restoreOrder(correction.values, rows, columns, order).map((change, index) => at(values, index) + change);
}
