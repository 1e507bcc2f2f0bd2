import { roundShort, shortsAround } from "../src/grids/short-floats.ts";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("numbers around a value are all that there are, from above half of it to its double", () => {
  assert.equal(shortsAround(1, 1), [1, 2]);
  assert.equal(shortsAround(0.3, 1), [0.25, 0.5]);
  assert.equal(shortsAround(1.2, 2), [0.75, 1, 1.5, 2]);
  const eighths = Array.from({ length: 8 }, (_, place) => 1 + place / 8);
  assert.equal(shortsAround(1.9, 4), [...eighths, ...eighths.map((value) => 2 * value)]);
});

test("what is too small or too large gets numbers at the ends", () => {
  const [least, most] = [2 ** -120, 2 ** 120];
  for (const value of [0, 1e-40]) assert.equal(shortsAround(value, 2), [least, 1.5 * least, 2 * least]);
  assert.equal(shortsAround(Infinity, 2), [0.75 * most, most]);
});

test("a value is rounded to the nearest number, between two to the larger", () => {
  for (const [value, bits, expected] of [
    [1.0624, 4, 1],
    [1.0625, 4, 1.125],
    [1.97, 4, 2],
    [0.1, 4, 0.1015625],
    [1.49, 1, 1],
    [1.5, 1, 2],
    [0, 4, 0],
  ] as const) {
    assert.is(roundShort(value, bits), expected, `${value} to ${bits} bits`);
  }
});

test.run();
