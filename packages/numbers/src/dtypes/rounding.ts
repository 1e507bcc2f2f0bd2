import { BadDataError } from "@mbs/contracts";
import { decodeBrain, encodeBrain, roundToBrain } from "./brain.ts";
import { decodeHalf, encodeHalf } from "./half.ts";

/** Data types of weights on disk. */
export type WeightDtype = "f32" | "f16" | "bf16";

export const isWeightDtype = (value: unknown): value is WeightDtype => value === "f32" || value === "f16" || value === "bf16";

/** Bytes of one stored value. */
export const bytesOfDtype = (dtype: WeightDtype): number => (dtype === "f32" ? 4 : 2);

/** Adding and subtracting 1.5·2^52 rounds a double of smaller size to a whole number, ties to even. */
const wholeShift = 6755399441055744;

/** Rounds to a whole number, ties to even. */
export const roundHalfEven = (value: number): number => (Math.abs(value) < 2 ** 51 ? value + wholeShift - wholeShift : value);

/** The values that a checkpoint of this dtype would give back, as a new float32 array. */
export function roundTo(dtype: WeightDtype, values: Float32Array): Float32Array {
  switch (dtype) {
    case "f32":
      return values.slice();
    case "f16":
      return decodeHalf(encodeHalf(values));
    case "bf16":
      return roundToBrain(values);
  }
}

/** Values as a checkpoint of this dtype stores them: little-endian, rounded half to even. Shares memory for f32. */
export function encodeWeights(dtype: WeightDtype, values: Float32Array): Uint8Array {
  const stored = dtype === "f16" ? encodeHalf(values) : dtype === "bf16" ? encodeBrain(values) : values;
  return new Uint8Array(stored.buffer as ArrayBuffer, stored.byteOffset, stored.byteLength);
}

/**
 * The values of stored weights, exactly, in memory of their own.
 *
 * @param bytes little-endian, at any offset
 * @param what the tensor, for the message
 * @throws {BadDataError} on a dtype that holds no weights
 */
export function decodeWeights(dtype: string, bytes: Uint8Array, what: string): Float32Array {
  if (dtype === "f32") return new Float32Array(bytes.slice().buffer);
  // copied where bytes from a stream lie at an odd offset
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  const bits = new Uint16Array(buffer, byteOffset, byteLength / 2);
  switch (dtype) {
    case "f16":
      return decodeHalf(bits);
    case "bf16":
      return decodeBrain(bits);
    default:
      throw new BadDataError(`${what}: values of dtype ${dtype}, f32, f16 or bf16 expected; compress again`, { what, dtype });
  }
}
