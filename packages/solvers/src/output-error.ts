import { at, type Blas } from "@mbs/contracts";
import { packedRowStart, transposeInto } from "@mbs/numbers";

/**
 * What a site's input was like: E[x xᵀ], [columns, columns], whose upper half is read, or that half packed, or only the
 * diagonal, length columns. Undamped.
 */
export type InputMoment =
  | { readonly gram: Float32Array }
  | { readonly packedGram: Float32Array }
  | { readonly diagonal: Float32Array };

/** A captured Gram, packed, or diagonal as a moment. */
export const momentOf = (statistic: { readonly kind: "gram" | "diagonal"; readonly values: Float32Array }): InputMoment =>
  statistic.kind === "gram" ? { packedGram: statistic.values } : { diagonal: statistic.values };

/** Rows of H that are multiplied at a time: fewer save more of the lower half, more run nearer to the peak. */
const panelRows = 256;

/** Most rows of M that are multiplied at a time: what is made of them stays in the cache, and in the same memory. */
const mostRows = 512;

interface Panel {
  /** First row and column. */
  readonly first: number;
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;
}

/**
 * The upper half of H in panels of rows, each from its first column on, with half of the diagonal: H is this and its transpose.
 *
 * @param rowOf row i of H from column i on
 */
function upperPanels(columns: number, rowOf: (row: number) => Float32Array): Panel[] {
  return Array.from({ length: Math.ceil(columns / panelRows) }, (_, index) => {
    const first = index * panelRows;
    const rows = Math.min(panelRows, columns - first);
    const width = columns - first;
    const values = new Float32Array(rows * width);
    for (let row = 0; row < rows; row += 1) {
      const diagonal = row * (width + 1);
      values.set(rowOf(first + row), diagonal);
      values[diagonal]! /= 2;
    }
    return { first, rows, columns: width, values };
  });
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
  return at(await outputsByRow(blas, [values], rows, moment), 0);
}

/** {@link outputByRow} of several matrices of one shape, sooner than one after the other. */
export async function outputsByRow(
  blas: Blas,
  matrices: readonly Float32Array[],
  rows: number,
  moment: InputMoment,
): Promise<Float64Array[]> {
  if ("diagonal" in moment) return matrices.map((values) => diagonalOutputs(values, rows, moment.diagonal));
  const columns = at(matrices, 0).length / rows;
  const rowOf = (row: number): Float32Array => {
    if ("gram" in moment) return moment.gram.subarray(row * columns + row, (row + 1) * columns);
    const start = packedRowStart(columns, row);
    return moment.packedGram.subarray(start, start + columns - row);
  };
  const panels = upperPanels(columns, rowOf);
  // parts of one size
  const most = Math.ceil(rows / Math.ceil(rows / mostRows));
  const turned = new Float32Array(most * columns);
  const product = new Float32Array(most * Math.min(panelRows, columns));
  const results: Float64Array[] = [];
  for (const values of matrices) {
    const result = new Float64Array(rows);
    for (let top = 0; top < rows; top += most) {
      const count = Math.min(most, rows - top);
      transposeInto(turned, values.subarray(top * columns, (top + count) * columns), count, columns);
      const sums = result.subarray(top, top + count);
      for (const panel of panels) {
        const below = turned.subarray(panel.first * count, columns * count);
        const into = product.subarray(0, panel.rows * count);
        await blas.gemm(panel, { rows: panel.columns, columns: count, values: below }, { into });
        addProducts(sums, below, into);
      }
    }
    for (let row = 0; row < rows; row += 1) result[row]! *= 2;
    results.push(result);
  }
  return results;
}

/** Adds the products of two [columns, rows] matrices, the first of which may be longer, to the sum of each row. */
function addProducts(sums: Float64Array, longer: Float32Array, product: Float32Array): void {
  const rows = sums.length;
  const whole = product.length - (product.length % (4 * rows));
  // four columns at a time, in their order, for each time that a sum is read and written
  for (let start = 0; start < whole; start += 4 * rows) {
    for (let row = 0; row < rows; row += 1) {
      const first = start + row;
      const second = first + rows;
      const third = second + rows;
      const fourth = third + rows;
      let sum = sums[row]!;
      sum += longer[first]! * product[first]!;
      sum += longer[second]! * product[second]!;
      sum += longer[third]! * product[third]!;
      sum += longer[fourth]! * product[fourth]!;
      sums[row] = sum;
    }
  }
  for (let start = whole; start < product.length; start += rows) {
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
