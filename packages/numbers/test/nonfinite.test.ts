import { test } from "uvu";
import * as assert from "uvu/assert";
import { findNonfinite } from "@mbs/numbers";

/** Across two blocks of the search, and a rest that four do not divide. */
const length = 2 * 4096 + 7;
const finite = Float32Array.from({ length }, (_, index) => (index % 2 === 0 ? -3.4028234663852886e38 : index * 1e-45));

test("the largest and smallest numbers are finite, and so is nothing", () => {
  assert.is(findNonfinite(finite), -1);
  assert.is(findNonfinite(new Float32Array(0)), -1);
});

test("the first of several is found, wherever it is", () => {
  for (const wrong of [NaN, Infinity, -Infinity]) {
    for (const index of [0, 1, 2, 3, 4095, 4096, 8190, length - 3, length - 1]) {
      const values = finite.slice();
      values[index] = wrong;
      values[length - 1] = NaN;
      assert.is(findNonfinite(values), index, `${wrong} at ${index}`);
    }
  }
});

test.run();
