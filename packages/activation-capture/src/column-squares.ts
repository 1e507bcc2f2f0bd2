import type { Matrix } from "@mbs/contracts";

/** A running sum of x² of each column, in float64. */
export class ColumnSquares {
  readonly #sums: Float64Array;
  #tokens = 0;

  constructor(width: number) {
    this.#sums = new Float64Array(width);
  }

  get tokens(): number {
    return this.#tokens;
  }

  /** @param states [tokens, width] */
  add({ rows, columns, values }: Matrix): void {
    const sums = this.#sums;
    for (let row = 0; row < rows; row++) {
      const start = row * columns;
      for (let column = 0; column < columns; column++) {
        const value = values[start + column];
        sums[column] += value * value;
      }
    }
    this.#tokens += rows;
  }

  /** E[x²] of each column. */
  mean(): Float32Array {
    return Float32Array.from(this.#sums, (sum) => sum / this.#tokens);
  }
}
