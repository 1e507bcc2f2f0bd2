import type { Blas, Matrix } from "@mbs/contracts";

/** A running sum of (x̃ - x) xᵀ: what the dense model puts into a site beyond what the compressed one does. */
export class CrossSum {
  readonly #blas: Blas;
  #sum: Matrix;

  constructor(width: number, blas: Blas) {
    this.#blas = blas;
    this.#sum = { rows: width, columns: width, values: new Float32Array(width * width) };
  }

  /**
   * @param dense x̃, [tokens, width]
   * @param states x of the same tokens, [tokens, width]
   */
  async add(dense: Matrix, states: Matrix): Promise<void> {
    // the difference is taken first: that of two products would drown in their rounding
    const shift = { ...dense, values: dense.values.map((value, index) => value - states.values[index]) };
    this.#sum = await this.#blas.gemm(shift, states, { transposeA: true, add: this.#sum });
  }

  /** E[(x̃ - x) xᵀ] over `tokens`, [width, width]. */
  mean(tokens: number): Float32Array {
    return this.#sum.values.map((sum) => sum / tokens);
  }
}
