import type { Blas } from "@mbs/contracts";

/** What a site's input was like: the whole E[x xᵀ], [columns, columns], or only its diagonal, length columns. Undamped. */
export type InputMoment = { readonly gram: Float32Array } | { readonly diagonal: Float32Array };

/**
 * Mean squared output of each row: the diagonal of M·H·Mᵀ. For M = ΔW it sums to tr(ΔW·H·ΔWᵀ), the output's error a token.
 *
 * @param values M, [rows, columns]
 * @param moment H, or its diagonal where H is not known
 * @returns one value a row, summed in double precision
 */
export async function outputByRow(blas: Blas, values: Float32Array, rows: number, moment: InputMoment): Promise<Float64Array> {
  const columns = values.length / rows;
  if (!("gram" in moment)) return diagonalOutputs(values, rows, moment.diagonal);
  const product = await blas.gemm({ rows, columns, values }, { rows: columns, columns, values: moment.gram });
  const result = new Float64Array(rows);
  for (let row = 0; row < rows; row += 1) {
    let sum = 0;
    for (let index = row * columns; index < (row + 1) * columns; index += 1) sum += values[index]! * product.values[index]!;
    result[row] = sum;
  }
  return result;
}

/** The same with H diagonal. */
function diagonalOutputs(values: Float32Array, rows: number, diagonal: Float32Array): Float64Array {
  const columns = diagonal.length;
  const result = new Float64Array(rows);
  for (let row = 0; row < rows; row += 1) {
    const start = row * columns;
    let sum = 0;
    for (let column = 0; column < columns; column += 1) {
      const value = values[start + column]!;
      sum += value * value * diagonal[column]!;
    }
    result[row] = sum;
  }
  return result;
}
