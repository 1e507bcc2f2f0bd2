import { at } from "@mbs/contracts";
import type { Merge } from "@mbs/models";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { replayMerges } from "../src/merges/merge-replay.ts";
import type { PairHistory } from "../src/merges/merge-replay.ts";
import { countsOfOrders, findViolatedOrders } from "../src/merges/violated-orders.ts";
import { WordTable } from "../src/merges/word-table.ts";

const languages = ["one", "two", "three"];
const symbolsOf = (word: string): Int32Array =>
  Int32Array.from(word, (letter) => (letter === "?" ? -1 : letter.charCodeAt(0) - 97));

/** Merges by the definition: every pair counted again at every step, in words spelt out one by one. */
function recount(texts: readonly (readonly string[])[], merges: readonly Merge[]) {
  const words = texts.map((list) => list.map((word) => [...symbolsOf(word)]));
  return merges.map(({ left, right, merged }) => {
    const counts = new Map<string, number[]>();
    for (const [language, list] of words.entries()) {
      for (const word of list) {
        for (let index = 0; index + 1 < word.length; index += 1) {
          if (at(word, index) < 0 || at(word, index + 1) < 0) continue;
          const key = `${word[index]},${word[index + 1]}`;
          const count = counts.get(key) ?? languages.map(() => 0);
          counts.set(key, count);
          count[language] = at(count, language) + 1;
        }
        for (let index = 0; index + 1 < word.length; index += 1) {
          if (word[index] === left && word[index + 1] === right) word.splice(index, 2, merged);
        }
      }
    }
    return counts;
  });
}

/** Counts of every pair at every step, out of the changes: one sorted list of counts a step. */
function allCounts({ steps }: PairHistory): number[][][] {
  const running = new Map<number, number[]>();
  return steps.map(({ pairs, languages: where, changes }) => {
    for (const [index, pair] of pairs.entries()) {
      const counts = running.get(pair) ?? languages.map(() => 0);
      running.set(pair, counts);
      const language = at(where, index);
      counts[language] = at(counts, language) + at(changes, index);
    }
    return sorted([...running.values()].filter((counts) => counts.some((count) => count !== 0)).map((counts) => [...counts]));
  });
}

const sorted = (counts: number[][]): number[][] => counts.sort((a, b) => (a.join() < b.join() ? -1 : 1));

const round = (values: readonly number[]): string[] => values.map((value) => value.toFixed(6)).sort();

const generator = xoroshiro128plus(5);
const draw = (limit: number): number => uniformInt(generator, 0, limit - 1);
const randomWord = (): string => Array.from({ length: 1 + draw(9) }, () => (draw(12) === 0 ? "?" : "abc"[draw(3)])).join("");
const texts = languages.map(() => Array.from({ length: 60 }, randomWord));
// Merges of symbols that may exist by then; the last one never does.
const merges: Merge[] = Array.from({ length: 12 }, (_, step) => ({
  left: draw(3 + step),
  right: draw(3 + step),
  merged: 3 + step,
}));
merges.push({ left: 99, right: 98, merged: 100 });

const table = new WordTable(languages);
for (const [language, list] of texts.entries()) {
  table.add(language, list.slice(0, 20), 100);
  table.add(language, list.slice(20), 200);
}
const words = table.words.map(symbolsOf);
const history = replayMerges(words, table.count(), merges);
const expected = recount(texts, merges);

test("counts of all pairs at all steps are those of counting again", () => {
  assert.equal(
    allCounts(history),
    expected.map((counts) => sorted([...counts.values()])),
  );
});

test("the merged pair has its counts, and one that never occurs is marked", () => {
  for (const [step, { left, right }] of merges.entries()) {
    const counts = at(expected, step).get(`${left},${right}`) ?? [0, 0, 0];
    assert.equal(Array.from(history.mergedCounts.subarray(step * 3, step * 3 + 3)), counts, `step ${step}`);
    assert.is(
      at(history.merged, step) >= 0,
      counts.some((count) => count > 0),
    );
  }
  assert.is(history.merged.at(-1), -1);
});

test("documents counted twice or not at all count so, with the same numbers of pairs", () => {
  const times = [Int32Array.of(2, 0), Int32Array.of(0, 1), Int32Array.of(1, 1)];
  const counts = table.count((language) => times[language]);
  assert.equal([...counts.bytes], [200, 200, 300]);
  const drawn = texts.map((list, language) => [
    ...list.slice(0, 20).flatMap((word) => Array<string>(at(at(times, language), 0)).fill(word)),
    ...list.slice(20).flatMap((word) => Array<string>(at(at(times, language), 1)).fill(word)),
  ]);
  const resampled = replayMerges(words, counts, merges);
  assert.equal(
    allCounts(resampled),
    recount(drawn, merges).map((found) => sorted([...found.values()])),
  );
  assert.is(resampled.pairs, history.pairs);
});

test("violated orders are the worst of each pair, by looking at all of them", () => {
  const weights = Float64Array.of(0.5, 0.3, 0.2);
  const weigh = (counts: ArrayLike<number>): number =>
    weights.reduce((sum, weight, index) => sum + weight * at(counts, index), 0);
  const none = { steps: new Float64Array(merges.length), pairs: new Float64Array(history.pairs) };
  const orders = findViolatedOrders(history, { weights, ...none }, 1e-9, 1000, () => false);
  const found = countsOfOrders(history, orders, 3);
  const violations = orders.map(({ step }, index) => ({
    step,
    violation: weigh(found.subarray(3 * index, 3 * index + 3)) - weigh(history.mergedCounts.subarray(3 * step, 3 * step + 3)),
  }));
  const worst = new Map<string, number>();
  for (const [step, { left, right }] of merges.entries()) {
    const merged = at(expected, step).get(`${left},${right}`);
    if (!merged) continue;
    for (const [pair, counts] of at(expected, step)) {
      const violation = weigh(counts) - weigh(merged);
      if (violation > 1e-9) worst.set(pair, Math.max(violation, worst.get(pair) ?? 0));
    }
  }
  assert.ok(worst.size > 5);
  assert.equal(round(violations.map(({ violation }) => violation)), round([...worst.values()]));
});

test("what is paid for is no violation, and what is known is not told again", () => {
  const weights = Float64Array.of(0.5, 0.3, 0.2);
  const none = { steps: new Float64Array(merges.length), pairs: new Float64Array(history.pairs) };
  const paid = { weights, steps: new Float64Array(merges.length).fill(1000), pairs: none.pairs };
  assert.equal(
    findViolatedOrders(history, paid, 0, 10, () => false),
    [],
  );
  const paidByPair = { weights, steps: none.steps, pairs: new Float64Array(history.pairs).fill(1000) };
  assert.equal(
    findViolatedOrders(history, paidByPair, 0, 10, () => false),
    [],
  );
  assert.equal(
    findViolatedOrders(history, { weights, ...none }, 0, 10, () => true),
    [],
  );
});

test.run();
