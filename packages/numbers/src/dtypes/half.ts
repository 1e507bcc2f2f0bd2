const signBit = 0x8000;
const halfInfinity = 0x7c00;
const quietBit = 0x200;
/** Bits of 65520, the first float32 that rounds to infinity in half precision. */
const overflowBits = 0x477ff000;
/** Bits of 2^-14, the smallest normal half. */
const normalBits = 0x38800000;
/** Adding 0.5 leaves a subnormal half's fraction, rounded to even, in the last bits of the sum. */
const subnormalShift = 0.5;
const subnormalShiftBits = 0x3f000000;
/** Moves the exponent's bias from 127 to 15. */
const rebias = (15 - 127) << 23;

const decodeOne = (half: number): number => {
  const sign = half & signBit ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
};

let decoded: Float32Array | undefined;

/** Half precision (IEEE binary16 bits) to float32, exactly. */
export function decodeHalf(bits: Uint16Array): Float32Array {
  decoded ??= Float32Array.from({ length: 0x10000 }, (_, half) => decodeOne(half));
  const table = decoded;
  const values = new Float32Array(bits.length);
  for (let index = 0; index < bits.length; index += 1) values[index] = table[bits[index]!]!;
  return values;
}

/** float32 to half precision bits, to nearest, ties to even; beyond 65519.99… becomes infinity, NaN stays NaN. */
export function encodeHalf(values: Float32Array): Uint16Array {
  const source = new Int32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  const sum = new Float32Array(1);
  const sumBits = new Int32Array(sum.buffer);
  for (let index = 0; index < source.length; index += 1) {
    const word = source[index]!;
    const sign = (word >>> 16) & signBit;
    const magnitude = word & 0x7fffffff;
    if (magnitude > 0x7f800000) bits[index] = sign | halfInfinity | quietBit | ((magnitude >> 13) & 0x3ff);
    else if (magnitude >= overflowBits) bits[index] = sign | halfInfinity;
    else if (magnitude < normalBits) {
      sum[0] = Math.abs(values[index]!) + subnormalShift;
      bits[index] = sign | (sumBits[0]! - subnormalShiftBits);
    } else {
      const odd = (magnitude >> 13) & 1;
      bits[index] = sign | ((magnitude + rebias + 0xfff + odd) >> 13);
    }
  }
  return bits;
}
