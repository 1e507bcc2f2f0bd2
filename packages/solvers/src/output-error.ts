import type { Blas } from "@mbs/contracts";
import { naturalOrder, transposeInOrder } from "@mbs/numbers";

/**
 * What a site's input was like: E[x xᵀ], [columns, columns], whose upper half is read, or only its diagonal, length columns.
 * Undamped.
 */
export type InputMoment = { readonly gram: Float32Array } | { readonly diagonal: Float32Array };

/** Rows of H that are multiplied at a time: fewer save more of the lower half, more run nearer to the peak. */
const panelRows = 256;

/**
 * Rows first … last-1 of the upper half of H, from column `first` on, with half of the diagonal: H is this and its transpose.
 */
function upperPanel(gram: Float32Array, columns: number, first: number, last: number): Float32Array {
  const width = columns - first;
  const panel = new Float32Array((last - first) * width);
  for (let row = first; row < last; row += 1) {
    const diagonal = (row - first) * (width + 1);
    panel.set(gram.subarray(row * columns + row, (row + 1) * columns), diagonal);
    panel[diagonal]! /= 2;
  }
  return panel;
}

/**
 * Mean squared output of each row: the diagonal of M·H·Mᵀ. For M = ΔW it sums to tr(ΔW·H·ΔWᵀ), the output's error a token.
 * With the upper half U of H, its diagonal halved, that is 2·M·U·Mᵀ: half of the operations.
 *
 * @param values M, [rows, columns]
 * @param moment H, or its diagonal where H is not known
 * @returns one value a row, summed in double precision
 */
export async function outputByRow(blas: Blas, values: Float32Array, rows: number, moment: InputMoment): Promise<Float64Array> {
  const columns = values.length / rows;
  if (!("gram" in moment)) return diagonalOutputs(values, rows, moment.diagonal);
  const transposed = transposeInOrder(values, rows, columns, naturalOrder(columns));
  const result = new Float64Array(rows);
  for (let first = 0; first < columns; first += panelRows) {
    const last = Math.min(first + panelRows, columns);
    const panel = { rows: last - first, columns: columns - first, values: upperPanel(moment.gram, columns, first, last) };
    const below = { rows: columns - first, columns: rows, values: transposed.subarray(first * rows) };
    const product = await blas.gemm(panel, below);
    addProducts(result, below.values, product.values);
  }
  for (let row = 0; row < rows; row += 1) result[row]! *= 2;
  return result;
}

/** Adds the products of two [columns, rows] matrices, the first of which may be longer, to the sum of each row. */
function addProducts(sums: Float64Array, longer: Float32Array, product: Float32Array): void {
  const rows = sums.length;
  for (let start = 0; start < product.length; start += rows) {
    for (let row = 0; row < rows; row += 1) sums[row]! += longer[start + row]! * product[start + row]!;
  }
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
