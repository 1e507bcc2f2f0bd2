import { entry } from "./mantel.ts";
import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { gradedPairs, pairsTest } from "./graded-pairs.ts";
import type { Pair } from "./graded-pairs.ts";

/** Languages 0 and 1, 2 and 3, …; the two directions of a pair differ, their mean is the value. */
const pairs: readonly Pair[] = [0, 1, 2, 3].map((index) => [2 * index, 2 * index + 1]);
const matrix = (values: readonly number[]): number[][] =>
  Array.from({ length: 8 }, (_, i) =>
    Array.from({ length: 8 }, (__, j) => {
      const value = at(values, i >> 1);
      return i >> 1 === j >> 1 ? value + Math.sign(i - j) : NaN;
    }),
  );

test("a pair is one point, and p counts all orders: of four pairs two of twenty-four are as strong", () => {
  const { value, p } = pairsTest("spearman", matrix([1, 2, 3, 4]), matrix([10, 20, 30, 40]), pairs);
  assert.ok(Math.abs(value - 1) < 1e-12);
  // the given order and its reverse
  assert.ok(Math.abs(p - 2 / 24) < 1e-12, `${p}`);
});

test("Pearson's by hand, where no order is weaker than the given one", () => {
  // products about the means: 0.5, 0.5, -0.5, -0.5 over the root of 5 times 1
  const { value, p } = pairsTest("pearson", matrix([1, 2, 3, 4]), matrix([0, 1, 1, 0]), pairs);
  assert.ok(Math.abs(value) < 1e-12);
  assert.is(p, 1);
});

test("six pairs through all similarities, no language twice, the nearest pair first", () => {
  const points = Array.from({ length: 12 }, (_, index) => index ** 1.5);
  const cosine = points.map((a) => points.map((b) => -Math.abs(a - b)));
  const chosen = gradedPairs(cosine);
  assert.is(new Set(chosen.flat()).size, 12);
  assert.equal(chosen[0], [0, 1]);
  const values = chosen.map(([a, b]) => entry(cosine, a, b));
  assert.is(Math.max(...values), values[0]);
});

test.run();
