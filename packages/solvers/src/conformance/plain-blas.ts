import type { Blas } from "@mbs/contracts";

/** Matrix products in plain TypeScript, summed in double precision: for small checks without an engine. */
export const plainBlas: Blas = {
  async gemm(a, b, { transposeA = false, transposeB = false, alpha = 1, add, into } = {}) {
    const rows = transposeA ? a.columns : a.rows;
    const inner = transposeA ? a.rows : a.columns;
    const columns = transposeB ? b.rows : b.columns;
    const values = into ?? new Float32Array(rows * columns);
    const sums = new Float64Array(columns);
    for (let row = 0; row < rows; row += 1) {
      sums.fill(0);
      for (let k = 0; k < inner; k += 1) {
        const factor = transposeA ? a.values[k * a.columns + row]! : a.values[row * a.columns + k]!;
        for (let column = 0; column < columns; column += 1) {
          sums[column]! += factor * (transposeB ? b.values[column * b.columns + k]! : b.values[k * b.columns + column]!);
        }
      }
      for (let column = 0; column < columns; column += 1) {
        const index = row * columns + column;
        values[index] = alpha * sums[column]! + (add ? add.values[index]! : 0);
      }
    }
    return { rows, columns, values };
  },
};
