import type { Matrix } from "@mbs/contracts";

/** Adds `share` times the values to a sum of the same length. */
export function addScaled(sum: Float32Array | Float64Array, values: Float32Array, share: number): void {
  for (let index = 0; index < values.length; index++) sum[index]! += share * values[index]!;
}

/** A running sum of x² of each column, in float64. */
export class ColumnSquares {
  readonly #sums: Float64Array;

  constructor(width: number) {
    this.#sums = new Float64Array(width);
  }

  /** @param states [tokens, width] */
  add({ rows, columns, values }: Matrix): void {
    const sums = this.#sums;
    for (let row = 0; row < rows; row++) {
      const start = row * columns;
      for (let column = 0; column < columns; column++) {
        const value = values[start + column]!;
        sums[column]! += value * value;
      }
    }
  }

  /** E[x²] of each column over `tokens`. */
  mean(tokens: number): Float32Array {
    return Float32Array.from(this.#sums, (sum) => sum / tokens);
  }

  clear(): void {
    this.#sums.fill(0);
  }
}
