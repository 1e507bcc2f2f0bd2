import { at, type Blas, type Factor, type SiteWeight } from "@mbs/contracts";

/** The columns of a matrix [rows, columns] in an order: position p takes column order[p]; or back to where they were. */
function inOrder(values: Float32Array, order: Int32Array, direction: "into" | "back"): Float32Array {
  const columns = order.length;
  const moved = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += columns) {
    for (const [position, column] of order.entries()) {
      if (direction === "into") moved[start + position] = at(values, start + column);
      else moved[start + column] = at(values, start + position);
    }
  }
  return moved;
}

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
  const wide = (matrix: Float32Array) => ({ rows, columns, values: matrix });
  // a copy, since it may lie in shared memory
  const upper = square(factor.upper.slice());
  const missing = await blas.gemm(wide(values), square(crossMoment));
  const projected = await blas.gemm(wide(inOrder(missing.values, order, "into")), upper, { transposeB: true });
  const correction = inOrder((await blas.gemm(projected, upper, { alpha })).values, order, "back");
  return correction.map((change, index) => at(values, index) + change);
}
