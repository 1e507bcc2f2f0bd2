import type { ColumnBlock } from "@mbs/numbers";
import type { Pattern } from "./pattern.ts";

const { fround } = Math;

/** Digits of the radix search, from the most significant: shift and number of values. */
const digits = [
  { shift: 21, values: 2048 },
  { shift: 10, values: 2048 },
  { shift: 0, values: 1024 },
] as const;

/** The bits of scores, which order like them: floats of one sign do. */
const bitsOf = (scores: Float32Array): Int32Array => new Int32Array(scores.buffer, scores.byteOffset, scores.length);

/**
 * The score at a rank of the sorted list, without sorting: the rank is found digit by digit with histograms, each of the scores
 * that share the digits before.
 *
 * @param scores bits of scores that are not negative, no NaN
 * @param rank 0 for the smallest
 * @returns its bits, and how many scores are smaller
 */
function searchRank(scores: Int32Array, rank: number): { readonly score: number; readonly below: number } {
  let candidates = scores;
  let left = rank;
  for (const { shift, values } of digits) {
    const counts = new Uint32Array(values);
    for (let index = 0; index < candidates.length; index += 1) counts[(candidates[index]! >>> shift) & (values - 1)]! += 1;
    let digit = 0;
    while (left >= counts[digit]!) left -= counts[digit++]!;
    const sharing = new Int32Array(counts[digit]!);
    let found = 0;
    for (let index = 0; found < sharing.length; index += 1) {
      const candidate = candidates[index]!;
      if (((candidate >>> shift) & (values - 1)) === digit) sharing[found++] = candidate;
    }
    candidates = sharing;
  }
  return { score: candidates[0]!, below: rank - left };
}

/**
 * The score at a rank of the sorted list.
 *
 * @param scores not negative, no NaN
 * @param rank 0 for the smallest
 */
export const scoreAt = (scores: Float32Array, rank: number): number =>
  new Float32Array(Int32Array.of(searchRank(bitsOf(scores), rank).score).buffer)[0]!;

/**
 * Marks the smallest scores with 0 and the others with 1. Of equal scores the first go first, as in a stable sort.
 *
 * @param scores not negative, no NaN
 * @param count how many are marked 0
 */
export function dropSmallest(scores: Float32Array, count: number): Uint8Array {
  const kept = new Uint8Array(scores.length).fill(1);
  if (count <= 0) return kept;
  const bits = bitsOf(scores);
  const dropped = Math.min(count, scores.length);
  const { score, below } = searchRank(bits, dropped - 1);
  // 1 - 1 where a score is below, without a branch that would often be guessed wrong
  for (let index = 0; index < bits.length; index += 1) kept[index] = 1 + ((bits[index]! - score) >> 31);
  for (let equal = dropped - below, index = -1; equal > 0; equal -= 1) {
    index = bits.indexOf(score, index + 1);
    kept[index] = 0;
  }
  return kept;
}

/**
 * Marks every score up to the one at rank floor(share · length) of the sorted list with 0, ties included: the threshold
 * of SparseGPT's and Wanda's reference programs.
 *
 * @param scores not negative, no NaN
 * @param share 0 ≤ share < 1; 0 marks none
 */
export function dropUpToShare(scores: Float32Array, share: number): Uint8Array {
  const kept = new Uint8Array(scores.length).fill(1);
  if (share === 0) return kept;
  const threshold = scoreAt(scores, Math.trunc(scores.length * share));
  for (let index = 0; index < scores.length; index += 1) if (scores[index]! <= threshold) kept[index] = 0;
  return kept;
}

/** How many of `columns` neighbours go; a shorter last group keeps the same share, rounded in favour of keeping. */
const droppedOf = ({ kept, of }: Pattern, columns: number): number => Math.floor(((of - kept) * columns) / of);

/** Neighbouring columns of one row inside a larger array. */
interface Run {
  readonly start: number;
  /** Distance between neighbours. */
  readonly stride: number;
  readonly columns: number;
}

/**
 * Drops the smallest scores of one group of neighbours, the first of equal ones first.
 *
 * @param scores not negative
 * @param kept 1 where a weight is kept; the group's dropped ones are set to 0
 */
export function dropInGroup(scores: Float32Array, kept: Uint8Array, { start, stride, columns }: Run, pattern: Pattern): void {
  const end = start + columns * stride;
  for (let dropped = droppedOf(pattern, columns); dropped > 0; dropped -= 1) {
    let smallest = -1;
    for (let index = start; index < end; index += stride) {
      if (kept[index] === 1 && (smallest < 0 || scores[index]! < scores[smallest]!)) smallest = index;
    }
    kept[smallest] = 0;
  }
}

/**
 * The n:m mask of a row-major matrix: groups are neighbours in a row.
 *
 * @param scores [rows, columns], not negative
 * @returns 1 where a weight is kept
 */
export function patternMask(scores: Float32Array, columns: number, pattern: Pattern): Uint8Array {
  const kept = new Uint8Array(scores.length).fill(1);
  for (let row = 0; row < scores.length; row += columns) {
    for (let column = 0; column < columns; column += pattern.of) {
      const run = { start: row + column, stride: 1, columns: Math.min(pattern.of, columns - column) };
      dropInGroup(scores, kept, run, pattern);
    }
  }
  return kept;
}

/**
 * What removing each weight costs, w² / U[j, j]², for columns from … to-1 of a block.
 *
 * @returns [to - from, rows]
 * @see arXiv:2301.00774 §3
 */
export function removalCosts({ rows, weights, diagonal }: ColumnBlock, from: number, to: number): Float32Array {
  const costs = weights.slice(from * rows, to * rows);
  for (let column = from; column < to; column += 1) {
    const pivot = fround(diagonal[column]! * diagonal[column]!);
    const start = (column - from) * rows;
    for (let index = start; index < start + rows; index += 1) {
      costs[index] = fround(fround(costs[index]! * costs[index]!) / pivot);
    }
  }
  return costs;
}

/** Values with zeros where the mask has 0. Never -0, so that equal masks give equal bytes. */
export function maskedValues(values: Float32Array, mask: Uint8Array): Float32Array {
  const masked = values.slice();
  for (let index = 0; index < masked.length; index += 1) if (mask[index] === 0) masked[index] = 0;
  return masked;
}
