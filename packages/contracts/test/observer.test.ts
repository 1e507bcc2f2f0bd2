import { test } from "uvu";
import * as assert from "uvu/assert";
import { BadDataError, InterruptedError, TryAgainError, observed } from "../src/index.ts";
import type { StageEnding } from "../src/index.ts";

const moved = () => ({ received: 1, sent: 2 });

async function endingOf(work: () => Promise<unknown>, signal?: AbortSignal): Promise<StageEnding | undefined> {
  let ending: StageEnding | undefined;
  await observed((given) => (ending = given), work, { moved, ...(signal && { signal }) }).catch(() => undefined);
  return ending;
}

const fails = (error: Error) => (): Promise<never> => Promise.reject(error);

test("a stage that ends well is finished, with what it moved", async () => {
  assert.equal(await endingOf(() => Promise.resolve()), { outcome: "finished", received: 1, sent: 2 });
});

test("what fails has the tag of its error; what was stopped, by whom ever, has not failed", async () => {
  assert.equal(await endingOf(fails(new BadDataError("no"))), { outcome: "failed", tag: "bad-data" });
  assert.equal(await endingOf(fails(new RangeError("a bug"))), { outcome: "failed", tag: "internal" });
  assert.equal(await endingOf(fails(new InterruptedError("stopped"))), { outcome: "stopped" });
  // a server that shuts down ends its stages with another error
  assert.equal(await endingOf(fails(new TryAgainError("shutting down")), AbortSignal.abort()), { outcome: "stopped" });
});

test.run();
