import type { Estimate } from "@mbs/pipeline";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { fitSegments } from "../../src/shrink/fit-segments.ts";

/** Runs that take a minute, and ten seconds a segment, of which texts have so many. */
function machine(there = Infinity, more = 0) {
  const asked: number[] = [];
  const estimateOf = async (segments: number): Promise<Estimate> => {
    asked.push(segments);
    const drawn = Math.min(segments, there);
    return { seconds: 60 + 10 * drawn + more * asked.length, calibrationTokens: 512 * drawn } as Estimate;
  };
  return { asked, estimateOf };
}
const limits = { most: 32, fewest: 8, length: 512, remedy: "take fewer languages" };

test("without a limit, and with one that is kept, all segments are taken and estimated once", async () => {
  for (const seconds of [undefined, 380, 500]) {
    const { asked, estimateOf } = machine();
    const found = await fitSegments({ ...limits, seconds }, estimateOf);
    assert.equal([found.segments, found.estimate.seconds, asked], [32, 380, [32]]);
  }
});

test("as many segments are taken as the time allows, with three estimates", async () => {
  const { asked, estimateOf } = machine();
  const found = await fitSegments({ ...limits, seconds: 265 }, estimateOf);
  assert.equal([found.segments, found.estimate.seconds, asked], [20, 260, [32, 8, 20]]);
  const fewest = machine();
  assert.is((await fitSegments({ ...limits, seconds: 140 }, fewest.estimateOf)).segments, 8);
  assert.equal(fewest.asked, [32, 8]);
});

test("a time that the fewest segments exceed is refused, and theirs is named", async () => {
  const { asked, estimateOf } = machine();
  try {
    await fitSegments({ ...limits, seconds: 100 }, estimateOf);
    assert.unreachable();
  } catch (error) {
    assert.match(
      (error as Error).message,
      /with 8 segments of text, the fewest, it takes about 2 min 20 s; allow some more than that, take/,
    );
  }
  assert.equal(asked, [32, 8]);
});

test("time grows with the texts that there are, and an estimate beyond the limit is not taken", async () => {
  const short = machine(20);
  const found = await fitSegments({ ...limits, seconds: 200 }, short.estimateOf);
  assert.equal([found.segments, found.estimate.seconds], [14, 200]);
  // each measurement finds the machine slower
  const slower = machine(Infinity, 10);
  const fallen = await fitSegments({ ...limits, seconds: 265 }, slower.estimateOf);
  assert.ok(fallen.estimate.seconds <= 265);
  assert.is(fallen.segments, 8);
});

test("where there is nothing to leave out, one estimate is enough", async () => {
  const { asked, estimateOf } = machine();
  try {
    await fitSegments({ ...limits, most: 8, seconds: 100 }, estimateOf);
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, /--within is too short/);
  }
  assert.equal(asked, [8]);
});

test.run();
