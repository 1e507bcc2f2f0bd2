import { test } from "uvu";
import * as assert from "uvu/assert";
import { progressCount } from "../src/progress-count.ts";

test("one of a unit is singular, however much of it is done", () => {
  assert.is(progressCount({ done: 0, total: 1, unit: "sites" }), "0 of 1 site");
  assert.is(progressCount({ done: 1, unit: "batches" }), "1 batch");
  assert.is(progressCount({ done: 1, total: 16, unit: "sites" }), "1 of 16 sites");
  assert.is(progressCount({ done: 1, unit: "sites" }), "1 site");
  assert.is(progressCount({ done: 3, unit: "sites" }), "3 sites");
});

test.run();
