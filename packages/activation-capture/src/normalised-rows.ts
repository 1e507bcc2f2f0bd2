import type { Matrix } from "@mbs/contracts";

/**
 * Rows divided by the root mean square of the rows of another matrix: with its own, each token counts alike in a Gram, however
 * large its activations are. The first token of a text can have a thousand times those of others.
 *
 * @param states [rows, columns]
 * @param by [rows, columns], default the same; a row of zeros divides by nothing, and gives zeros
 * @returns a new matrix
 */
export function normaliseRows(states: Matrix, by: Matrix = states): Matrix {
  const { rows, columns } = states;
  const values = new Float32Array(rows * columns);
  for (let start = 0; start < values.length; start += columns) {
    let squares = 0;
    for (let index = start; index < start + columns; index += 1) squares += by.values[index]! ** 2;
    const factor = squares > 0 ? Math.sqrt(columns / squares) : 0;
    for (let index = start; index < start + columns; index += 1) values[index] = states.values[index]! * factor;
  }
  return { rows, columns, values };
}
