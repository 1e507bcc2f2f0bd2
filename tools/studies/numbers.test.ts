import { test } from "uvu";
import * as assert from "uvu/assert";
import { percent, spread } from "./numbers.ts";

test("percentages and spreads", () => {
  assert.is(percent(0.123), "+12.3%");
  assert.is(percent(-0.0456), "−4.6%");
  assert.is(percent(-0.0001), "+0.0%");
  assert.equal(spread([1, 2, 6]), { mean: 3, low: 1, high: 6 });
});

test.run();
