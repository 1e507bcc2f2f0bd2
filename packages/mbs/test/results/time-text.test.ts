import { test } from "uvu";
import * as assert from "uvu/assert";
import { timeText } from "../../src/results/time-text.ts";

test("a time is that of a quiet machine, and where others use it the time beside them is named", () => {
  assert.is(timeText({ seconds: 2280, slowdown: 1 }), "about 38 min");
  assert.is(
    timeText({ seconds: 2280, slowdown: 1.6 }),
    "about 38 min on a quiet machine; other programs are using this one now: about 1 h",
  );
});

test.run();
