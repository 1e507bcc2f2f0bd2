/** Entries for the mantissa: between them the line is off by less than 1e-8. */
const mantissaBits = 11;
const entries = 2 ** mantissaBits;
const restBits = 23 - mantissaBits;

/** (1 + i/entries)^0.4, one more than entries. */
const mantissaPowers = Float64Array.from({ length: entries + 1 }, (_, index) => (1 + index / entries) ** 0.4);
/** 2^(0.4·(e - 127)) for each exponent e of a float32. */
const exponentPowers = Float64Array.from({ length: 256 }, (_, exponent) => 2 ** (0.4 * (exponent - 127)));

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/**
 * |x|^2.4, the norm of GPTQ's grid search, to a relative 1e-8: x² times |x|^0.4 from tables. The power function takes ten
 * times as long, and the search computes nothing else.
 *
 * @param x a float32
 */
export function searchNorm(x: number): number {
  float[0] = x;
  const pattern = bits[0]!;
  const index = (pattern >>> restBits) & (entries - 1);
  const between = (pattern & (2 ** restBits - 1)) * 2 ** -restBits;
  const low = mantissaPowers[index]!;
  const mantissa = low + (mantissaPowers[index + 1]! - low) * between;
  return x * x * exponentPowers[(pattern >>> 23) & 255]! * mantissa;
}
