import { at } from "@mbs/contracts";

/**
 * Largest difference of two lists of numbers, as a share of the largest expected one: infinite where one is longer or zeros
 * alone are expected, NaN where a number is.
 */
export function relativeDifference(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (found.length !== expected.length) return Infinity;
  let [furthest, largest] = [0, 0];
  for (let index = 0; index < expected.length; index += 1) {
    furthest = Math.max(furthest, Math.abs(at(found, index) - at(expected, index)));
    largest = Math.max(largest, Math.abs(at(expected, index)));
  }
  return furthest === 0 ? 0 : furthest / largest;
}
