import { once } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("work is done once for a key, and again after it failed", async () => {
  const known = new Map<string, Promise<number>>();
  let calls = 0;
  const work = async (): Promise<number> => {
    calls += 1;
    await Promise.resolve();
    if (calls === 1) throw new Error("the first time");
    return calls;
  };
  const [first, second] = [once(known, "a", work), once(known, "a", work)];
  assert.is(first, second);
  await first.then(
    () => assert.unreachable(),
    (error: Error) => assert.is(error.message, "the first time"),
  );
  assert.equal([await once(known, "a", work), await once(known, "a", work), await once(known, "b", work)], [2, 2, 3]);
});

test.run();
