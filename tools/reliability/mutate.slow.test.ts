import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readers } from "./mutations/readers.ts";
import { runMutations } from "./mutations/run-mutations.ts";

const test = suite("mutations of every reader");

for (const reader of readers.keys()) {
  test(`10,000 mutations of ${reader} are refused, or read as another sound input`, async () => {
    const [found] = await runMutations({ seed: 1, parts: [{ reader, first: 0, count: 10_000 }], patience: 300_000 });
    assert.equal(found?.faults, []);
    assert.is(found?.mutations, 10_000);
  });
}

test.run();
