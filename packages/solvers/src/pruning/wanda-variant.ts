const tolerance = 0.001;

/** Number of leading entries of a rising list that are at most `limit`. */
function countUpTo(rising: Float32Array, limit: number): number {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Wanda's threshold search (`use_variant`): each row loses the smallest scores that make up the same share of its sum, and
 * the share is bisected until the sparsity of the whole matrix is within 0.001 of what was asked for, or the search
 * interval is shorter than that.
 *
 * @param scores [rows, columns], not negative
 * @returns 1 where a weight is kept
 */
export function variantMask(scores: Float32Array, columns: number, sparsity: number): Uint8Array {
  const rows = Array.from({ length: scores.length / columns }, (_, row) => {
    const sorted = scores.slice(row * columns, (row + 1) * columns).sort();
    const sums = new Float32Array(columns);
    let total = 0;
    for (let index = 0; index < columns; index += 1) {
      total += sorted[index]!;
      sums[index] = total;
    }
    return { sorted, sums, total: Math.fround(total) };
  });
  /** The largest score that each row loses. */
  const thresholdsAt = (share: number): Float32Array =>
    Float32Array.from(rows, ({ sorted, sums, total }) => {
      const count = countUpTo(sums, Math.fround(total * share));
      return count === 0 ? -1 : sorted[count - 1]!;
    });
  const sparsityOf = (thresholds: Float32Array): number =>
    rows.reduce((sum, { sorted }, row) => sum + countUpTo(sorted, thresholds[row]!), 0) / scores.length;

  let share = 0.4;
  let low = 0;
  let high = 0.8;
  let thresholds = thresholdsAt(share);
  let reached = sparsityOf(thresholds);
  while (Math.abs(reached - sparsity) > tolerance && high - low >= tolerance) {
    if (reached > sparsity) high = share;
    else low = share;
    share = (low + high) / 2;
    thresholds = thresholdsAt(share);
    reached = sparsityOf(thresholds);
  }
  const kept = new Uint8Array(scores.length).fill(1);
  for (let index = 0; index < scores.length; index += 1) {
    if (scores[index]! <= thresholds[Math.floor(index / columns)]!) kept[index] = 0;
  }
  return kept;
}
