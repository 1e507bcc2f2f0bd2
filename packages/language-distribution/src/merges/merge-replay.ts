import type { Merge } from "@mbs/models";
import { WordSymbols } from "./word-symbols.ts";
import type { WordCounts } from "./word-table.ts";

/** How the count of pairs changed at one step; one entry per pair and language, entries of a pair together. */
export interface CountChanges {
  readonly pairs: Int32Array;
  readonly languages: Int32Array;
  readonly changes: Int32Array;
}

/** The counts of all pairs of symbols at every step of a BPE training, for each language. */
export interface PairHistory {
  /** Distinct pairs that were ever counted; a pair is a number below. */
  readonly pairs: number;
  /** Step 0 holds the counts before any merge, step t what the merge of step t - 1 changed. As many as there are merges. */
  readonly steps: readonly CountChanges[];
  /** The pair that is merged at each step; -1 where the texts do not have it. */
  readonly merged: Int32Array;
  /** Counts of the merged pair at its step, [steps, languages]. */
  readonly mergedCounts: Float64Array;
}

/** Adds up changes of one step, and keeps the counts of the pairs that will be merged. */
class StepChanges {
  readonly #width: number;
  readonly #tracked = new Map<number, Float64Array>();
  /** [pairs, languages], all zero between steps; grows with the pairs. */
  #changes = new Int32Array(1 << 16);
  #touched: number[] = [];

  constructor(width: number) {
    this.#width = width;
  }

  track(pair: number): void {
    this.#tracked.set(pair, new Float64Array(this.#width));
  }

  /** @param change not zero */
  add(pair: number, language: number, change: number): void {
    const slot = pair * this.#width + language;
    if (slot >= this.#changes.length) {
      const larger = new Int32Array(2 * (slot + 1));
      larger.set(this.#changes);
      this.#changes = larger;
    }
    // A slot touched again after it came back to zero is listed twice; close() removes the second.
    if (this.#changes[slot] === 0) this.#touched.push(slot);
    this.#changes[slot]! += change;
  }

  /** Counts of a tracked pair after the last closed step, [languages]. */
  countsOf(pair: number): Float64Array | undefined {
    return this.#tracked.get(pair);
  }

  /** Ends the step. */
  close(): CountChanges {
    const all = this.#changes;
    const slots = Float64Array.from(this.#touched)
      .sort()
      .filter((slot, index, sorted) => all[slot] !== 0 && slot !== sorted[index - 1]);
    const step = {
      pairs: Int32Array.from(slots, (slot) => Math.floor(slot / this.#width)),
      languages: Int32Array.from(slots, (slot) => slot % this.#width),
      changes: Int32Array.from(slots, (slot) => all[slot]!),
    };
    for (const slot of slots) all[slot] = 0;
    this.#touched = [];
    for (const [index, pair] of step.pairs.entries()) {
      const counts = this.#tracked.get(pair);
      if (counts) counts[step.languages[index]!]! += step.changes[index]!;
    }
    return step;
  }
}

/**
 * Applies merges one by one to the words of all languages and records how the count of every pair changes.
 *
 * Only words that have the pair are touched; the two pairs of "aaa" count both, as trainers count them. Pairs are numbered by
 * the words alone, however often these count.
 *
 * @param words the symbols of each word, negative where nothing merges
 * @param merges in the order in which they were learnt
 */
export function replayMerges(
  words: readonly Int32Array[],
  { starts, languages, counts, bytes }: WordCounts,
  merges: readonly Merge[],
): PairHistory {
  let limit = 0;
  for (const word of words) for (const symbol of word) limit = Math.max(limit, symbol + 1);
  for (const { left, right, merged } of merges) limit = Math.max(limit, left + 1, right + 1, merged + 1);
  const keyOf = (left: number, right: number): number => left * limit + right;
  const stepOf = new Map(merges.map(({ left, right }, step) => [keyOf(left, right), step]));
  const pairIds = new Map<number, number>();
  /** Step of each pair, -1 for one that is never merged. */
  const pairSteps: number[] = [];
  // Words that have the pair of a later step; some lose it again before.
  const waiting: (number[] | undefined)[] = merges.map(() => undefined);
  const changes = new StepChanges(bytes.length);
  const symbols = new WordSymbols(words);

  function tell(word: number, now: number, left: number, right: number, sign: number): void {
    if (left < 0 || right < 0) return;
    const key = keyOf(left, right);
    let pair = pairIds.get(key);
    if (pair === undefined) {
      pair = pairIds.size;
      pairIds.set(key, pair);
      pairSteps.push(stepOf.get(key) ?? -1);
      if (pairSteps[pair]! >= 0) changes.track(pair);
    }
    const step = pairSteps[pair]!;
    if (sign > 0 && step > now) {
      const list = (waiting[step] ??= []);
      if (list.at(-1) !== word) list.push(word);
    }
    for (let entry = starts[word]!; entry < starts[word + 1]!; entry += 1)
      changes.add(pair, languages[entry]!, sign * counts[entry]!);
  }

  for (let word = 0; word < words.length; word += 1) {
    symbols.forPairs(word, (left, right) => tell(word, -1, left, right, 1));
  }
  const steps: CountChanges[] = [];
  const mergedPairs = new Int32Array(merges.length).fill(-1);
  const mergedCounts = new Float64Array(merges.length * bytes.length);
  for (const [step, merge] of merges.entries()) {
    steps.push(changes.close());
    const pair = pairIds.get(keyOf(merge.left, merge.right));
    const now = pair === undefined ? undefined : changes.countsOf(pair);
    if (pair !== undefined && now?.some((count) => count > 0)) {
      mergedPairs[step] = pair;
      mergedCounts.set(now, step * bytes.length);
    }
    for (const word of waiting[step] ?? []) {
      symbols.merge(word, merge, (left, right, sign) => tell(word, step, left, right, sign));
    }
    waiting[step] = undefined;
  }
  return { pairs: pairIds.size, steps, merged: mergedPairs, mergedCounts };
}
