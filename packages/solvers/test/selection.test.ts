import { test } from "uvu";
import * as assert from "uvu/assert";
import { UsageError } from "@mbs/contracts";
import { parsePattern } from "../src/pruning/pattern.ts";
import { dropSmallest, dropUpToShare, patternMask, scoreAt } from "../src/pruning/selection.ts";

const scores = Float32Array.from({ length: 3000 }, (_, index) => ((index * 7919) % 1009) / 16);

test("scoreAt is the entry of the sorted list, at every rank", () => {
  const sorted = scores.slice().sort();
  for (let rank = 0; rank < scores.length; rank += 1) assert.is(scoreAt(scores, rank), sorted[rank]);
  assert.is(scoreAt(Float32Array.of(0, 3e38, 1e-45), 1), Math.fround(1e-45));
});

test("dropSmallest drops exactly so many, the first of equal ones first", () => {
  assert.equal([...dropSmallest(Float32Array.of(1, 2, 1, 0, 1), 3)], [0, 1, 0, 0, 1]);
  for (const count of [0, 1, 999, 3000]) {
    assert.is(
      dropSmallest(scores, count).reduce((sum, kept) => sum + kept, 0),
      3000 - count,
    );
  }
});

test("dropUpToShare takes ties with it", () => {
  assert.equal([...dropUpToShare(Float32Array.of(1, 2, 1, 0), 0.25)], [0, 1, 0, 0]);
  assert.equal([...dropUpToShare(Float32Array.of(1, 2, 1, 0), 0)], [1, 1, 1, 1]);
});

test("a pattern holds in every group, a short last one keeps at least its share", () => {
  const mask = patternMask(Float32Array.of(1, 1, 1, 1, 3, 1, 2, 0, 5, 4), 10, { kept: 2, of: 4 });
  assert.equal([...mask], [0, 0, 1, 1, 1, 0, 1, 0, 1, 0]);
});

test("patterns are parsed and refused", () => {
  assert.equal(parsePattern("4:8"), { kept: 4, of: 8 });
  for (const text of ["2", "4:4", "0:4", "2:4:8", "5:4", "a:b", "2:65"])
    assert.throws(
      () => parsePattern(text),
      (error: unknown) => error instanceof UsageError,
    );
});

test.run();
