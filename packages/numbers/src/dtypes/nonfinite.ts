/** Values whose products with zero are summed before anything is looked at: long enough for the loop, short to search. */
const block = 4096;

/** Index of the first NaN or Inf; -1 where all are finite. */
export function findNonfinite(values: Float32Array): number {
  for (let start = 0; start < values.length; start += block) {
    const end = Math.min(start + block, values.length);
    // 0 times NaN or Inf is NaN, and stays in the sum. Four sums, since each addition waits for the one before it.
    let [first, second, third, fourth] = [0, 0, 0, 0];
    let index = start;
    for (; index + 3 < end; index += 4) {
      first += values[index]! * 0;
      second += values[index + 1]! * 0;
      third += values[index + 2]! * 0;
      fourth += values[index + 3]! * 0;
    }
    for (; index < end; index += 1) first += values[index]! * 0;
    if (first + second + third + fourth === 0) continue;
    for (index = start; index < end; index += 1) if (!Number.isFinite(values[index])) return index;
  }
  return -1;
}
