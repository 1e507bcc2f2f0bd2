import { test } from "uvu";
import * as assert from "uvu/assert";
import { calibrate } from "../../src/damage/calibration.ts";

const close = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual} is not ${expected}`);

/** Predictors with their rises. */
const fit = (...points: readonly (readonly [predictor: number, rise: number])[]) =>
  calibrate(points.map(([predictor, rise]) => ({ predictor, rise })));

test("a line through the origin, each point by the others", () => {
  const calibration = fit([1, 2], [2, 4], [3, 6]);
  close(calibration?.factor ?? 0, 2);
  for (const [index, value] of [2, 4, 6].entries()) close(calibration?.predicted[index] ?? 0, value);
  close(calibration?.error ?? 1, 0);
  // means of the others: 5, 4, 3
  close(calibration?.errorOfMean ?? 0, 2);
  const bent = fit([1, 0], [1, 0], [1, 3]);
  close(bent?.factor ?? 0, 1);
  assert.equal(bent?.predicted, [1.5, 1.5, 0]);
  assert.is(fit([1, 1], [2, 2]), undefined);
});

test("where fewer than two predictors are not zero there is no fit: the others predict nothing of that one", () => {
  assert.is(fit([0, 0], [0, 0], [1, 3]), undefined);
  assert.is(fit([0, 1], [0, 2], [0, 3]), undefined);
  assert.equal(fit([0, 0], [1, 3], [1, 3])?.predicted, [0, 3, 3]);
  // 1 + 1e-18 is 1: the others' squares are summed, not subtracted.
  close(fit([1, 2], [1e-9, 2e-9], [0, 0])?.predicted[0] ?? NaN, 2);
});

test.run();
