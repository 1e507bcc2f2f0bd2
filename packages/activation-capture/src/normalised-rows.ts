import type { Matrix } from "@mbs/contracts";

/** For each row one over its root mean square, 0 for a row of zeros. */
export function inverseSizes({ rows, columns, values }: Matrix): Float64Array {
  const sizes = new Float64Array(rows);
  for (let row = 0; row < rows; row += 1) {
    let squares = 0;
    for (let index = row * columns; index < (row + 1) * columns; index += 1) squares += values[index]! ** 2;
    sizes[row] = squares > 0 ? Math.sqrt(columns / squares) : 0;
  }
  return sizes;
}

/**
 * Rows times a number each. By {@link inverseSizes} of their own, each token counts alike in a Gram, however large its
 * activations are: the first token of a text can have a thousand times those of others.
 *
 * @param states [rows, columns]
 * @param factors one a row
 * @returns a new matrix
 */
export function scaleRows({ rows, columns, values }: Matrix, factors: Float64Array): Matrix {
  const scaled = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row += 1) {
    const factor = factors[row]!;
    for (let index = row * columns; index < (row + 1) * columns; index += 1) scaled[index] = values[index]! * factor;
  }
  return { rows, columns, values: scaled };
}
