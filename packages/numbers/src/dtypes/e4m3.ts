import { roundHalfEven } from "./rounding.ts";

/*
 * FP8 E4M3 without infinities, as in safetensors (arXiv:2209.05433): a sign, four bits of exponent with 7 added, three of mantissa.
 * Its largest number is 448; all ones is not a number.
 */

/** Number of the first byte whose exponent is not the lowest one: 2^-6. */
const firstNormal = 8;
const bias = 7;
const largest = 448;

const table = Float32Array.from({ length: 256 }, (_, byte) => {
  const sign = byte < 128 ? 1 : -1;
  const size = byte & 127;
  if (size === 127) return NaN;
  const [exponent, mantissa] = [size >> 3, size & 7];
  return size < firstNormal ? sign * mantissa * 2 ** -9 : sign * (1 + mantissa / 8) * 2 ** (exponent - bias);
});

/** E4M3 to float32, exactly. */
export const decodeE4m3 = (bytes: Uint8Array): Float32Array => Float32Array.from(bytes, (byte) => table[byte] ?? NaN);

/** float32 to E4M3, to nearest, ties to even; what is larger than its largest number becomes that. @param values finite */
export function encodeE4m3(values: Float32Array): Uint8Array {
  return Uint8Array.from(values, (value) => {
    const sign = value < 0 || Object.is(value, -0) ? 128 : 0;
    const size = Math.min(Math.abs(value), largest);
    const exponent = Math.max(Math.floor(Math.log2(size)), -6);
    // of numbers below 2^-6 the exponent's part is 0 and nothing stands before the mantissa's bits
    return sign + firstNormal * (exponent + 6) + roundHalfEven(size * 2 ** (3 - exponent));
  });
}
