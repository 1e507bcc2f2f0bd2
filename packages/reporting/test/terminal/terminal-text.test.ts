import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatInterval, formatNumber, formatRise, formatShare } from "../../src/numbers.ts";
import { riseBar } from "../../src/terminal/terminal-text.ts";

test("bars grow by eighths on one scale, keep their width and mark what lies beyond", () => {
  assert.is(riseBar(0, 5), "     ");
  assert.is(riseBar(0.5, 5), "██   ");
  assert.is(riseBar(1 / 32, 5), "▏    ");
  assert.is(riseBar(1, 3), "██ ");
  assert.is(riseBar(Infinity, 3), "██›");
  assert.is(riseBar(-1, 3), "   ");
  assert.is(riseBar(NaN, 3), "   ");
});

test("numbers read well", () => {
  assert.is(formatRise(0.0123), "+1.2%");
  assert.is(formatRise(-0.0123), "-1.2%");
  assert.is(formatRise(12.3), "+1230%");
  assert.is(formatNumber(23.456), "23.5");
  assert.is(formatNumber(1234.5), "1235");
  assert.is(formatShare(0.0049), "0.5%");
  assert.is(formatShare(0.4), "40%");
  assert.is(formatInterval([-0.01, 0.02]), "-1.0 … +2.0%");
});

test.run();
