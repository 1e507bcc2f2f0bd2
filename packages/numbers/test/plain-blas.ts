import { at, type Blas, type Real } from "@mbs/contracts";

/** Products by their definition, so that kernels are tested without an engine. */
export function createPlainBlas<Values extends Real>(zeros: (length: number) => Values): Blas<Values> {
  return {
    gemm(a, b, { transposeA = false, transposeB = false, alpha = 1, add, into } = {}) {
      const rows = transposeA ? a.columns : a.rows;
      const inner = transposeA ? a.rows : a.columns;
      const columns = transposeB ? b.rows : b.columns;
      const values = into ?? zeros(rows * columns);
      for (let row = 0; row < rows; row += 1) {
        for (let column = 0; column < columns; column += 1) {
          let sum = 0;
          for (let k = 0; k < inner; k += 1) {
            const left = at(a.values, transposeA ? k * rows + row : row * inner + k);
            sum += left * at(b.values, transposeB ? column * inner + k : k * columns + column);
          }
          values[row * columns + column] = alpha * sum + (add ? at(add.values, row * columns + column) : 0);
        }
      }
      return Promise.resolve({ rows, columns, values });
    },
  };
}

export const plainBlas = createPlainBlas((length) => new Float32Array(length));
export const plainDoubleBlas = createPlainBlas((length) => new Float64Array(length));
