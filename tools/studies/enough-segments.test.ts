import { test } from "uvu";
import * as assert from "uvu/assert";
import { enoughSegments } from "./enough-segments.ts";
import { spread } from "./numbers.ts";

const sizes = (...rises: readonly (readonly number[])[]) =>
  rises.map((seeds, index) => ({ segments: 8 * 2 ** index, rise: spread(seeds) }));

test("more pays until no larger number takes half a point off", () => {
  assert.is(enoughSegments(sizes([0.2, 0.21], [0.15, 0.16], [0.13, 0.131], [0.128, 0.129])), 32);
  assert.is(enoughSegments(sizes([0.2, 0.21], [0.15, 0.16], [0.13, 0.131], [0.1, 0.11])), 64);
});

test("small gains count once they add up", () => {
  assert.is(enoughSegments(sizes([0.11, 0.11], [0.106, 0.106], [0.102, 0.102], [0.098, 0.098])), 32);
});

test("a gain that only recovers an earlier loss does not count", () => {
  assert.is(enoughSegments(sizes([0.125, 0.125], [0.131, 0.131], [0.138, 0.138], [0.128, 0.128])), 8);
});

test("a gain that seeds do not agree on is none", () => {
  assert.is(enoughSegments(sizes([0.1, 0.12], [0.08, 0.105])), 8);
});

test.run();
