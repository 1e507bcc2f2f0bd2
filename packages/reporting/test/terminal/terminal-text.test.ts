import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatInterval, formatNumber, formatRise, formatShare } from "../../src/numbers.ts";
import { textBar } from "../../src/terminal/terminal-text.ts";

test("bars grow by eighths, keep their width and cut what lies outside", () => {
  assert.is(textBar(0, 4), "    ");
  assert.is(textBar(0.5, 4), "██  ");
  assert.is(textBar(1 / 32, 4), "▏   ");
  assert.is(textBar(7, 2), "██");
  assert.is(textBar(-1, 2), "  ");
  assert.is(textBar(NaN, 2), "  ");
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
