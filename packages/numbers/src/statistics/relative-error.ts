import type { Interval } from "./percentile-interval.ts";

/**
 * The 95% interval of a value that is known within `own` and is off by a relative error besides, the two taken as independent.
 *
 * @param own 95% interval of the value without that error
 * @param error standard deviation of the logarithm; nothing is added to a value of 0 or less
 */
export function withRelativeError(value: number, own: Interval, error: number): Interval {
  const [low, high] = own;
  const factor = Math.exp(1.96 * error);
  const size = Math.max(value, 0);
  return [value - Math.hypot(value - low, size - size / factor), value + Math.hypot(high - value, size * factor - size)];
}
