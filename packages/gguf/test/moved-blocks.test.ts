import { movedBlocks } from "@mbs/gguf";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("blocks whose columns stay together are moved", () => {
  const order = Int32Array.of(4, 5, 6, 7, 0, 1, 2, 3);
  assert.equal(movedBlocks(order, 4), Int32Array.of(1, 0));
  assert.equal(movedBlocks(order, 2), Int32Array.of(2, 3, 0, 1));
});

test("no blocks are moved whose columns come from several, from parts of one, or in another order", () => {
  assert.is(movedBlocks(Int32Array.of(0, 1, 4, 5, 2, 3, 6, 7), 4), undefined);
  assert.is(movedBlocks(Int32Array.of(2, 3, 4, 5, 6, 7, 0, 1), 4), undefined);
  assert.is(movedBlocks(Int32Array.of(5, 4, 6, 7, 0, 1, 2, 3), 4), undefined);
});

test.run();
