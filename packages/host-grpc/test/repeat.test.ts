import { suite } from "uvu";
import * as assert from "uvu/assert";
import { until } from "../../../tools/test/until.ts";
import { repeat } from "../src/server/repeat.ts";

const test = suite("repeat");

test("work is done again after it has ended, never twice at one time, and not after the end", async () => {
  const ends: (() => void)[] = [];
  const stop = repeat(1, () => new Promise((resolve) => ends.push(resolve)));
  const rounds = (count: number): Promise<void> => until(() => ends.length === count, `round ${count} has begun`);
  for (const round of [1, 2, 3]) {
    await rounds(round);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.is(ends.length, round);
    if (round < 3) ends.at(-1)?.();
  }
  // while it works
  stop();
  ends.at(-1)?.();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.is(ends.length, 3);
});

test.run();
