/** Digits of the radix search, from the most significant: shift and number of bits. */
const digits = [
  { shift: 21, bits: 11 },
  { shift: 10, bits: 11 },
  { shift: 0, bits: 10 },
] as const;

/**
 * The value at a place of the sorted list, without sorting.
 *
 * Floats of one sign order like their bits, so the place is found digit by digit with histograms.
 *
 * @param scores not negative, no NaN
 * @param place 0 for the smallest
 */
export function scoreAt(scores: Float32Array, place: number): number {
  const bits = new Uint32Array(scores.buffer, scores.byteOffset, scores.length);
  let prefix = 0;
  let known = 0;
  let left = place;
  for (const digit of digits) {
    const counts = new Uint32Array(2 ** digit.bits);
    for (const value of bits) {
      if ((value & known) >>> 0 === prefix) counts[(value >>> digit.shift) & (counts.length - 1)] += 1;
    }
    let bucket = 0;
    while (left >= counts[bucket]) left -= counts[bucket++];
    prefix = (prefix | (bucket << digit.shift)) >>> 0;
    known = (known | ((counts.length - 1) << digit.shift)) >>> 0;
  }
  return new Float32Array(Uint32Array.of(prefix).buffer)[0];
}

/**
 * Marks the smallest scores with 0 and the others with 1. Of equal scores the first go first, as in a stable sort.
 *
 * @param scores not negative, no NaN
 * @param count how many are marked 0
 */
export function dropSmallest(scores: Float32Array, count: number): Uint8Array {
  const kept = new Uint8Array(scores.length).fill(1);
  if (count <= 0) return kept;
  const threshold = scoreAt(scores, Math.min(count, scores.length) - 1);
  let below = 0;
  for (const score of scores) if (score < threshold) below += 1;
  let equal = count - below;
  for (let index = 0; index < scores.length; index += 1) {
    if (scores[index] < threshold || (scores[index] === threshold && equal-- > 0)) kept[index] = 0;
  }
  return kept;
}

/**
 * Marks every score up to the one at place floor(share · length) of the sorted list with 0, ties included: the threshold
 * of SparseGPT's and Wanda's reference programs.
 *
 * @param scores not negative, no NaN
 * @param share 0 ≤ share < 1; 0 marks none
 */
export function dropUpToShare(scores: Float32Array, share: number): Uint8Array {
  const kept = new Uint8Array(scores.length).fill(1);
  if (share === 0) return kept;
  const threshold = scoreAt(scores, Math.trunc(scores.length * share));
  for (let index = 0; index < scores.length; index += 1) if (scores[index] <= threshold) kept[index] = 0;
  return kept;
}

/** Values with zeros where the mask has 0. Never -0, so that equal masks give equal bytes. */
export function maskedValues(values: Float32Array, mask: Uint8Array): Float32Array {
  const masked = values.slice();
  for (let index = 0; index < masked.length; index += 1) if (mask[index] === 0) masked[index] = 0;
  return masked;
}
