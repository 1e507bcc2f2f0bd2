import { InternalError, at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("gives the element, whatever its value", () => {
  assert.is(at([3, 0], 1), 0);
  assert.is(at(Float32Array.of(1.5), 0), 1.5);
});

test("refuses an index without an element", () => {
  for (const index of [2, -1, 0.5])
    assert.throws(
      () => at([3, 0], index),
      (error: Error) => error instanceof InternalError,
    );
});

test.run();
