/** The weight that a model has, and what compression changes in it. */
export interface WeightChange {
  readonly tensor: string;
  readonly rows: number;
  /** W, [rows, width]. */
  readonly weight: Float32Array;
  /** ΔW = W - what is written, as it acts on the input as it was, [rows, width]. */
  readonly change: Float32Array;
}

/**
 * Makes ΔW of written values, in their memory.
 *
 * @param weight W, [rows, width]; not modified
 * @param written values for inputs divided by `inputScale`, [rows, width]; ΔW afterwards
 * @param inputScale s, [width]; absent where the values are meant for the inputs as they were
 */
export function subtractFromWeight(weight: Float32Array, written: Float32Array, inputScale: Float32Array | undefined): void {
  if (inputScale === undefined) {
    for (let index = 0; index < written.length; index += 1) written[index] = weight[index]! - written[index]!;
    return;
  }
  const width = inputScale.length;
  for (let index = 0; index < written.length; index += 1) {
    written[index] = weight[index]! - written[index]! / inputScale[index % width]!;
  }
}
