import type { Blas } from "@mbs/contracts";

/** Matrix products in plain TypeScript, summed in double precision: for small checks without an engine. */
export const plainBlas: Blas = {
  async gemm(a, b, { transposeA = false, transposeB = false, alpha = 1, add, into } = {}) {
    const rows = transposeA ? a.columns : a.rows;
    const inner = transposeA ? a.rows : a.columns;
    const columns = transposeB ? b.rows : b.columns;
    const values = into ?? new Float32Array(rows * columns);
    const factors = new Float64Array(inner);
    const sums = new Float64Array(columns);
    for (let row = 0; row < rows; row += 1) {
      for (let k = 0; k < inner; k += 1)
        factors[k] = transposeA ? a.values[k * a.columns + row]! : a.values[row * a.columns + k]!;
      // a loop for each layout, in which b is read in the order in which it lies; both add the same terms in the same order
      if (transposeB) addByColumn(factors, b.values, sums);
      else addByRow(factors, b.values, sums);
      for (let column = 0; column < columns; column += 1) {
        const index = row * columns + column;
        values[index] = alpha * sums[column]! + (add ? add.values[index]! : 0);
      }
    }
    return { rows, columns, values };
  },
};

/** @param values [columns, inner] */
function addByColumn(factors: Float64Array, values: Float32Array, sums: Float64Array): void {
  for (let column = 0, start = 0; column < sums.length; column += 1, start += factors.length) {
    let sum = 0;
    for (let k = 0; k < factors.length; k += 1) sum += factors[k]! * values[start + k]!;
    sums[column] = sum;
  }
}

/** @param values [inner, columns] */
function addByRow(factors: Float64Array, values: Float32Array, sums: Float64Array): void {
  sums.fill(0);
  const columns = sums.length;
  let k = 0;
  // four at a time, one after the other, so that each sum is read and written a quarter as often
  for (; k + 4 <= factors.length; k += 4) {
    const [a, b, c, d] = [factors[k]!, factors[k + 1]!, factors[k + 2]!, factors[k + 3]!];
    for (let column = 0, at = k * columns; column < columns; column += 1, at += 1) {
      const sum = sums[column]! + a * values[at]! + b * values[at + columns]!;
      sums[column] = sum + c * values[at + 2 * columns]! + d * values[at + 3 * columns]!;
    }
  }
  for (; k < factors.length; k += 1) {
    for (let column = 0; column < columns; column += 1) sums[column]! += factors[k]! * values[k * columns + column]!;
  }
}
