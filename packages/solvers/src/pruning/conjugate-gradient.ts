import { InterruptedError, type Blas } from "@mbs/contracts";
import type { LayerProblem } from "./layer-problem.ts";

/**
 * Moves the weights that are kept towards the least output error of their mask, by conjugate gradients on all rows at once.
 * A step takes one product, rows · columns² multiplications.
 *
 * @param values [rows, columns], zero where the mask is; overwritten with the result
 * @param mask 1 where a weight is kept
 * @see arXiv:2406.07831 section 3.2
 */
export async function refineKept(
  blas: Blas,
  { hessian, wanted }: Pick<LayerProblem, "hessian" | "wanted">,
  values: Float32Array,
  mask: Uint8Array,
  steps: number,
  signal: AbortSignal,
): Promise<void> {
  if (steps === 0) return;
  const { rows, columns } = wanted;
  const matrix = (of: Float32Array) => ({ rows, columns, values: of });
  // Ĝ - X·H on the mask
  const { values: residual } = await blas.gemm(matrix(values), hessian, { alpha: -1, add: wanted });
  for (let index = 0; index < residual.length; index += 1) residual[index]! *= mask[index]!;
  const direction = residual.slice();
  const product = new Float32Array(residual.length);
  const squares = new Float64Array(rows);
  for (let row = 0; row < rows; row += 1) squares[row] = dot(residual, residual, row * columns, columns);
  for (let step = 0; step < steps; step += 1) {
    if (signal.aborted) throw new InterruptedError("stopped while solving a site");
    await blas.gemm(matrix(direction), hessian, { into: product });
    for (let row = 0; row < rows; row += 1) {
      const start = row * columns;
      const curvature = dot(direction, product, start, columns);
      // nothing is left to gain in this row
      if (!(curvature > 0)) continue;
      const length = squares[row]! / curvature;
      let next = 0;
      for (let index = start; index < start + columns; index += 1) {
        // the direction is zero where the mask is
        values[index]! += length * direction[index]!;
        const left = (residual[index]! - length * product[index]!) * mask[index]!;
        residual[index] = left;
        next += left * left;
      }
      const share = squares[row]! > 0 ? next / squares[row]! : 0;
      for (let index = start; index < start + columns; index += 1) {
        direction[index] = residual[index]! + share * direction[index]!;
      }
      squares[row] = next;
    }
  }
}

/** Product of two rows. */
function dot(a: Float32Array, b: Float32Array, start: number, columns: number): number {
  let sum = 0;
  for (let index = start; index < start + columns; index += 1) sum += a[index]! * b[index]!;
  return sum;
}
