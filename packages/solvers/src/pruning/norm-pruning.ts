import type { OptionValues, SiteWeight, Solution } from "@mbs/contracts";
import { defaultSparsity, parsePattern, sparsityOptions } from "./pattern.ts";
import { dropSmallest, maskedValues, patternMask } from "./selection.ts";

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
function variantMask(scores: Float32Array, columns: number, sparsity: number): Uint8Array {
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

/** The options of Wanda and of what differs from it in the norm alone. */
export const normPruningOptions = {
  ...sparsityOptions,
  useVariant: {
    kind: "flag",
    description: "let rows differ in sparsity, by Wanda's own threshold search",
    default: false,
    excludes: ["pattern"],
  },
} as const;

/**
 * Prunes by |w| times the norm of the column, compared within each row; nothing is updated.
 *
 * @param norms of each column, not negative
 * @see arXiv:2306.11695 §3
 */
export function pruneByNorm(
  { columns, values, parts }: SiteWeight,
  norms: Float32Array,
  { sparsity = defaultSparsity, pattern, useVariant }: OptionValues<typeof normPruningOptions>,
): Solution {
  const scores = new Float32Array(values.length);
  for (let start = 0; start < scores.length; start += columns) {
    for (let column = 0; column < columns; column += 1) {
      scores[start + column] = Math.abs(values[start + column]!) * norms[column]!;
    }
  }
  const mask = new Uint8Array(values.length);
  if (pattern !== undefined) {
    mask.set(patternMask(scores, columns, parsePattern(pattern)));
  } else if (useVariant) {
    for (const { firstRow, rows } of parts) {
      const start = firstRow * columns;
      mask.set(variantMask(scores.subarray(start, start + rows * columns), columns, sparsity), start);
    }
  } else {
    const dropped = Math.trunc(columns * sparsity);
    for (let start = 0; start < scores.length; start += columns) {
      mask.set(dropSmallest(scores.subarray(start, start + columns), dropped), start);
    }
  }
  return { values: maskedValues(values, mask), mask };
}
