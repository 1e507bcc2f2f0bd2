import { test } from "uvu";
import * as assert from "uvu/assert";
import { fitLine } from "./line-fit.ts";

const close = (actual: number, expected: number, tolerance = 1e-9): void =>
  assert.ok(Math.abs(actual - expected) < tolerance, `${actual} is not ${expected}`);

test("a line through exact points, and the share of the variance that a line explains", () => {
  const exact = fitLine([0, 1, 2], [1, 3, 5]);
  close(exact.slope, 2);
  close(exact.intercept, 1);
  close(exact.r2, 1);
  close(fitLine([0, 1, 2], [0, 3, 0]).r2, 0);
});

test.run();
