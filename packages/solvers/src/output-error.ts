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
  const result = new Float64Array(rows);
  const product =
    "gram" in moment
      ? (await blas.gemm({ rows, columns, values }, { rows: columns, columns, values: moment.gram })).values
      : values.map((value, index) => value * moment.diagonal[index % columns]!);
  for (let row = 0; row < rows; row += 1) {
    let sum = 0;
    for (let index = row * columns; index < (row + 1) * columns; index += 1) sum += values[index]! * product[index]!;
    result[row] = sum;
  }
  return result;
}
