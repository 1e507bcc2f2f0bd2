/**
 * Positive numbers of float32 with few significant bits, from 2^-120 to 2^120: normal ones, also times a level of a grid. Behind
 * their last bit float32 has zeros, so they are a whole number of steps apart as words of 32 bits.
 */

/** The least of them, of whatever bits. */
export const leastShort = 2 ** -120;
/** The largest. */
export const mostShort = 2 ** 120;

/** Bits of a float32 behind the first `significantBits`. */
export const droppedBits = (significantBits: number): number => 24 - significantBits;

const float = new Float32Array(1);
const word = new Uint32Array(float.buffer);

/** The nearest number of so many bits; of two that are as near the larger one. @param value zero or above, finite */
export function roundShort(value: number, significantBits: number): number {
  float[0] = value;
  const step = 2 ** droppedBits(significantBits);
  word[0] = Math.floor((word[0]! + step / 2) / step) * step;
  return float[0];
}

/** How many numbers of so many bits there are from one to its double. */
export const shortsInDoubling = (significantBits: number): number => 2 ** (significantBits - 1);

/**
 * Numbers of so many bits around a value, rising: as many up to the value as there are to half of it, and as many above it as there
 * are to its double.
 *
 * @param value zero or above; what is too small or too large becomes the least or the largest
 */
export function shortsAround(value: number, significantBits: number): number[] {
  const step = 2 ** droppedBits(significantBits);
  const reach = shortsInDoubling(significantBits);
  float[0] = Math.min(Math.max(value, leastShort), mostShort);
  const lower = Math.floor(word[0]! / step) * step;
  const found: number[] = [];
  for (let place = 1 - reach; place <= reach; place += 1) {
    word[0] = lower + place * step;
    if (float[0] >= leastShort && float[0] <= mostShort) found.push(float[0]);
  }
  return found;
}
