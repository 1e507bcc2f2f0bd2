const quietBit = 0x40;

/** bfloat16 bits to float32, exactly. */
export function decodeBrain(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length);
  for (let index = 0; index < bits.length; index += 1) words[index] = bits[index]! << 16;
  return new Float32Array(words.buffer);
}

/** float32 to bfloat16 bits, to nearest, ties to even; NaN stays NaN. */
export function encodeBrain(values: Float32Array): Uint16Array {
  const source = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let index = 0; index < source.length; index += 1) {
    const word = source[index]!;
    const top = word >>> 16;
    bits[index] = (word & 0x7fffffff) > 0x7f800000 ? top | quietBit : (word + 0x7fff + (top & 1)) >>> 16;
  }
  return bits;
}

/** What decodeBrain makes of encodeBrain's bits, in one pass. */
export function roundToBrain(values: Float32Array): Float32Array {
  const source = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const rounded = new Uint32Array(values.length);
  for (let index = 0; index < source.length; index += 1) {
    const word = source[index]!;
    const top = word >>> 16;
    rounded[index] = ((word & 0x7fffffff) > 0x7f800000 ? top | quietBit : (word + 0x7fff + (top & 1)) >>> 16) << 16;
  }
  return new Float32Array(rounded.buffer);
}
