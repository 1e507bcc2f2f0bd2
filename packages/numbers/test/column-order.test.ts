import { UsageError } from "@mbs/contracts";
import { parseOrder } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";

const diagonal = Float32Array.of(1, 5, 5, 0, 9, 2, 3);
const arrange = (name: string): number[] => [...parseOrder(name).arrange(diagonal)];

test("natural leaves columns in place", () => {
  assert.equal(arrange("natural"), [0, 1, 2, 3, 4, 5, 6]);
});

test("activation puts the largest first, equal ones in their order", () => {
  assert.equal(arrange("activation"), [4, 1, 2, 6, 5, 0, 3]);
});

test("group-aware: groups by their largest column, columns within, a short last group last", () => {
  assert.equal(arrange("group-aware:2"), [4, 5, 1, 0, 2, 3, 6]);
  assert.equal(arrange("group-aware:3"), [4, 5, 3, 1, 2, 0, 6]);
  // a group as wide as the site, or wider, leaves nothing but the order within
  assert.equal(arrange("group-aware:7"), arrange("activation"));
  assert.equal(arrange("group-aware:100"), arrange("activation"));
});

for (const name of ["", "Natural", "group-aware", "group-aware:0", "group-aware:-1", "group-aware:2.5", "group-aware:x"]) {
  test(`--order ${JSON.stringify(name)} is refused`, () => {
    assert.throws(
      () => parseOrder(name),
      (error: unknown) => error instanceof UsageError,
    );
  });
}

test.run();
