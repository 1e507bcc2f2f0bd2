import { test } from "uvu";
import * as assert from "uvu/assert";
import { verdict } from "../../src/summary/verdict.ts";
import type { Contender } from "../../src/summary/verdict.ts";

const contender = (name: string, low: number, high: number): Contender => ({
  name,
  rise: (low + high) / 2,
  interval: [low, high],
});

const unknown = (name: string, rise: number): Contender => ({ name, rise, interval: [NaN, NaN] });

test("clear where the intervals do not meet, whatever the order", () => {
  const three = [contender("b", 2.5, 3.5), contender("c", 4, 5), contender("a", 1, 2)];
  assert.is(verdict("Mean", three), "Mean: a clearly best, c clearly worst.");
  assert.is(verdict("Mean", three.slice(1)), "Mean: a clearly best.");
});

test("the best is compared with all, not against the next by mean alone", () => {
  const wide = [contender("a", 1, 2), contender("b", 2.5, 3.5), contender("c", 0, 8)];
  assert.is(verdict("Mean", wide), "Mean: a or c best (not told apart), a or b or c worst (not told apart).");
});

test("the worst is compared with all, not against the one before by mean alone", () => {
  const wide = [contender("a", 0, 8), contender("b", 4.5, 5.5), contender("c", 7, 9)];
  assert.is(verdict("Mean", wide), "Mean: a or b or c best (not told apart), a or c worst (not told apart).");
  const one = [contender("a", 1, 2), contender("b", 1.5, 2.5), contender("c", 3, 4)];
  assert.is(verdict("Mean", one), "Mean: a or b best (not told apart), c clearly worst.");
});

test("where all intervals meet, none is best", () => {
  const two = [contender("a", 1, 3), contender("b", 2, 4)];
  assert.is(verdict("Mean", two), "Mean: a, b not told apart.");
  assert.is(verdict("Mean", [...two, contender("c", 2, 5)]), "Mean: a, b, c not told apart.");
});

test("without an interval nothing is said, however far the means lie apart", () => {
  assert.is(verdict("Mean", [unknown("a", 0.01), unknown("b", 0.9)]), "Mean: not known (too few windows).");
  assert.is(verdict("Mean", [contender("a", 1, 2), unknown("b", 9)]), "Mean: not known (too few windows).");
});

test.run();
