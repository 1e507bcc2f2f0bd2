import type { Blas, Matrix } from "@mbs/contracts";
import { findNonfinite } from "@mbs/numbers";

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

/** A running sum of (x̃ - x) xᵀ: how far the dense model's input of a site, x̃, is from the compressed one's. */
export class CrossSum {
  readonly #blas: Blas;
  readonly #sum: Matrix;

  constructor(width: number, blas: Blas) {
    this.#blas = blas;
    this.#sum = { rows: width, columns: width, values: new Float32Array(width * width) };
  }

  /**
   * The difference is taken first: that of two products would drown in their rounding.
   *
   * @param dense x̃, [tokens, width]; overwritten by the difference
   * @param states x of the same tokens, [tokens, width]
   */
  async add(dense: Matrix, states: Matrix): Promise<void> {
    const shift = dense.values;
    for (let index = 0; index < shift.length; index += 1) shift[index]! -= states.values[index]!;
    await this.#blas.gemm(dense, states, { transposeA: true, add: this.#sum, into: this.#sum.values });
  }

  /** Whether no sum is NaN or Inf. */
  get finite(): boolean {
    return findNonfinite(this.#sum.values) < 0;
  }

  /** E[(x̃ - x) xᵀ] over `tokens`, [width, width]. */
  mean(tokens: number): Float32Array {
    const mean = new Float32Array(this.#sum.values.length);
    for (let index = 0; index < mean.length; index += 1) mean[index] = this.#sum.values[index]! / tokens;
    return mean;
  }

  clear(): void {
    this.#sum.values.fill(0);
  }
}
