/** A weighted sum of arrays of one length, in float64. */
export class WeightedSum {
  readonly #sum: Float64Array;
  #weight = 0;

  constructor(length: number) {
    this.#sum = new Float64Array(length);
  }

  add(values: Float32Array, weight: number): void {
    const sum = this.#sum;
    this.#weight += weight;
    for (let index = 0; index < values.length; index += 1) sum[index]! += weight * values[index]!;
  }

  /** The sum over its weights. */
  mean(): Float32Array {
    const sum = this.#sum;
    const weight = this.#weight;
    const means = new Float32Array(sum.length);
    // a plain loop: calls of a function for each value take seconds where a site is 16,384 wide
    for (let index = 0; index < sum.length; index += 1) means[index] = sum[index]! / weight;
    return means;
  }
}
