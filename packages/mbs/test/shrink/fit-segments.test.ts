import type { Estimate } from "@mbs/pipeline";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { durationFrom, parseDuration } from "../../src/shrink/duration.ts";
import { fitSegments } from "../../src/shrink/fit-segments.ts";

/** Runs that take a minute, and ten seconds a segment, of which texts have so many. */
function machine(there = Infinity) {
  const asked: number[] = [];
  const estimateOf = async (segments: number): Promise<Estimate> => {
    asked.push(segments);
    const drawn = Math.min(segments, there);
    return { seconds: 60 + 10 * drawn, secondsOfSegment: 10, calibrationTokens: 512 * drawn } as Estimate;
  };
  return { asked, estimateOf };
}
const limits = { most: 32, fewest: 8, length: 512, remedy: "take fewer languages" };

test("without a limit, and with one that is kept, all segments are taken", async () => {
  for (const seconds of [undefined, 380, 500]) {
    const { asked, estimateOf } = machine();
    const found = await fitSegments({ ...limits, seconds }, estimateOf);
    assert.equal([found.segments, found.estimate.seconds, asked], [32, 380, [32]]);
  }
});

test("as many segments are taken as the time allows, of those that the texts have", async () => {
  for (const [seconds, there, segments] of [
    [265, Infinity, 20],
    [140, Infinity, 8],
    [200, 20, 14],
  ] as const) {
    const { asked, estimateOf } = machine(there);
    const found = await fitSegments({ ...limits, seconds }, estimateOf);
    assert.equal([found.segments, found.estimate.seconds, asked], [segments, 60 + 10 * segments, [32, segments]]);
  }
});

test("a time that the fewest segments exceed is refused after one estimate, with a time that is enough", async () => {
  for (const [most, seconds, there] of [
    [32, 100, Infinity],
    [8, 139, Infinity],
    [32, 60, 5],
  ] as const) {
    const { asked, estimateOf } = machine(there);
    const refused: unknown = await fitSegments({ ...limits, most, seconds }, estimateOf).catch((error: unknown) => error);
    const [, named = ""] = /with 8 segments of text, the fewest, .* say --within (\S+), take fewer/.exec(String(refused)) ?? [];
    assert.equal(asked, [most]);
    assert.is((await fitSegments({ ...limits, most, seconds: parseDuration(named) }, estimateOf)).estimate.seconds > 0, true);
  }
});

test("the time to type is a little longer and round", () => {
  assert.equal([4, 84, 100, 1140, 5000, 9000].map(durationFrom), ["10s", "90s", "2m", "20m", "88m", "2.7h"]);
});

test.run();
