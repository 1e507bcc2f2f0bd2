import type { TensorData } from "@mbs/artifacts";
import { encodeWeights, type WeightDtype } from "@mbs/numbers";

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);

/** Values in the dtype of a checkpoint, rounded half to even. */
export function weightData(dtype: WeightDtype, rows: number, values: Float32Array): TensorData {
  return { dtype, rows, columns: values.length / rows, data: encodeWeights(dtype, values) };
}

/** Whole numbers and scales as they are. */
export function plainData(rows: number, values: Float32Array | Uint8Array | Int32Array): TensorData {
  const dtype = values instanceof Float32Array ? "f32" : values instanceof Uint8Array ? "u8" : "i32";
  return { dtype, rows, columns: values.length / rows, data: bytesOf(values) };
}

/** A mask of one byte a weight as bits, rows padded to whole bytes, least significant first. */
export function maskData(rows: number, mask: Uint8Array): TensorData {
  const columns = mask.length / rows;
  const stride = Math.ceil(columns / 8);
  const data = new Uint8Array(rows * stride);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      data[row * stride + (column >> 3)]! |= mask[row * columns + column]! << (column & 7);
    }
  }
  return { dtype: "u1", rows, columns, data };
}

/** The sum of the values from `first` on. */
export function sumFrom(values: Float32Array | Float64Array | Uint8Array, first: number, count: number): number {
  let total = 0;
  for (let index = first; index < first + count; index += 1) total += values[index]!;
  return total;
}

/**
 * Subtracts what is written for some rows from the values before.
 *
 * @param change takes the difference, from the first of these rows on
 * @param before the values before, from the first of these rows on
 * @param written [rows, columns], for inputs divided by `inputScale` where there is one
 */
export function subtractWritten(
  change: Float32Array,
  before: Float32Array,
  written: Float32Array,
  inputScale: Float32Array | undefined,
): void {
  if (inputScale === undefined) {
    for (let index = 0; index < written.length; index += 1) change[index] = before[index]! - written[index]!;
    return;
  }
  const columns = inputScale.length;
  for (let index = 0; index < written.length; index += 1) {
    change[index] = before[index]! - written[index]! / inputScale[index % columns]!;
  }
}
