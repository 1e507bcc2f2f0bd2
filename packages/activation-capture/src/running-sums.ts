import { at } from "@mbs/contracts";
import type { Blas, Matrix } from "@mbs/contracts";

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

/** A running sum of w·(x̃ - x) xᵀ: how far the dense model's input of a site, x̃, is from the compressed one's. */
export class CrossSum {
  readonly #blas: Blas;
  readonly #width: number;
  /** Made by the first tokens, given away by `take`. */
  #values: Float32Array | undefined;

  constructor(width: number, blas: Blas) {
    this.#blas = blas;
    this.#width = width;
  }

  /**
   * Takes the difference, since that of two products would drown in their rounding.
   *
   * @param difference w·(x̃ - x), each token by its weight, [tokens, width]
   * @param states x of the same tokens, [tokens, width]
   */
  async add(difference: Matrix, states: Matrix): Promise<void> {
    const width = this.#width;
    this.#values ??= new Float32Array(width * width);
    const sum = { rows: width, columns: width, values: this.#values };
    await this.#blas.gemm(difference, states, { transposeA: true, add: sum, into: sum.values });
  }

  /** Whether no channel's sum with itself is NaN or Inf: NaN in a state shows there. */
  get finiteDiagonal(): boolean {
    const values = this.#values;
    if (values === undefined) return true;
    return Array.from({ length: this.#width }, (_, channel) => at(values, channel * (this.#width + 1))).every(Number.isFinite);
  }

  /** The sum, [width, width], which begins again in other memory. */
  take(): Float32Array {
    const values = this.#values ?? new Float32Array(this.#width ** 2);
    this.#values = undefined;
    return values;
  }
}
