import { bytesOfDtype, type WeightDtype } from "./rounding.ts";

const exponent = 0x7f800000;
/** Added to an exponent of all ones, it carries into the sign. */
const carry = 0x00800000;

/** Values whose carries are joined before anything is looked at: long enough for the loop, short to search. */
const block = 4096;

/** Index of the first NaN or Inf; -1 where all are finite. */
export function findNonfinite(values: Float32Array): number {
  const words = new Int32Array(values.buffer, values.byteOffset, values.length);
  for (let start = 0; start < words.length; start += block) {
    const end = Math.min(start + block, words.length);
    // two, since each operation waits for the one before it
    let [first, second] = [0, 0];
    let index = start;
    for (; index + 3 < end; index += 4) {
      first |= ((words[index]! & exponent) + carry) | ((words[index + 1]! & exponent) + carry);
      second |= ((words[index + 2]! & exponent) + carry) | ((words[index + 3]! & exponent) + carry);
    }
    for (; index < end; index += 1) first |= (words[index]! & exponent) + carry;
    if ((first | second) >= 0) continue;
    for (index = start; index < end; index += 1) if (!Number.isFinite(values[index])) return index;
  }
  return -1;
}

/** Bits of the exponent, all ones in NaN and Inf. */
const halfExponents = { f16: 0x7c00, bf16: 0x7f80 } as const;

/**
 * Index of the first NaN or Inf of values as they are stored; -1 where all are finite.
 *
 * @param bytes whole values, little-endian
 */
export function findNonfiniteStored(dtype: WeightDtype, bytes: Uint8Array): number {
  const size = bytesOfDtype(dtype);
  const { buffer, byteOffset, length } = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  if (dtype === "f32") return findNonfinite(new Float32Array(buffer, byteOffset, length / size));
  const exponent = halfExponents[dtype];
  const words = new Uint16Array(buffer, byteOffset, length / size);
  for (let index = 0; index < words.length; index += 1) if ((words[index]! & exponent) === exponent) return index;
  return -1;
}
