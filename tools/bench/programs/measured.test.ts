import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseMeasured, spreadOf, summarise } from "./measured.ts";

const line = (program: string, repeat: number, seconds: number): string =>
  JSON.stringify({ case: "a", program, threads: 1, repeat, seconds, processorSeconds: 2 * seconds, peakBytes: 10 });

test("the median of an even number lies between the middle two", () => {
  assert.equal(spreadOf([4, 1, 3, 2]), { median: 2.5, least: 1, most: 4 });
  assert.throws(() => spreadOf([]), RangeError);
});

test("a case is summed up once both programs have run", () => {
  assert.equal(summarise(parseMeasured(`${line("ours", 0, 3)}\n`)), []);
  const text = [line("ours", 0, 3), line("public", 0, 6), line("ours", 1, 5)].join("\n");
  const [found] = summarise(parseMeasured(text));
  assert.is(found?.repeats, 1);
  assert.equal(found?.ours.seconds, { median: 4, least: 3, most: 5 });
  assert.equal(found?.public.processorSeconds, { median: 12, least: 12, most: 12 });
});

test.run();
