import { test } from "uvu";
import * as assert from "uvu/assert";
import { encodeWeights, findNonfinite, findNonfiniteStored } from "@mbs/numbers";

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

test("stored values of every dtype are searched, from any byte on", () => {
  const largest = { f32: 3.4028234663852886e38, f16: 65_504, bf16: 3.3895313892515355e38 };
  for (const dtype of ["f32", "f16", "bf16"] as const) {
    for (const wrong of [NaN, Infinity, -Infinity]) {
      const values = Float32Array.from({ length: 9 }, (_, index) => (index % 2 === 0 ? -largest[dtype] : 0));
      assert.is(findNonfiniteStored(dtype, encodeWeights(dtype, values)), -1);
      values.fill(wrong, 5, 7);
      const bytes = encodeWeights(dtype, values);
      const shifted = new Uint8Array(bytes.length + 1);
      shifted.set(bytes, 1);
      assert.is(findNonfiniteStored(dtype, bytes), 5, `${dtype} ${wrong}`);
      assert.is(findNonfiniteStored(dtype, shifted.subarray(1)), 5, `${dtype} ${wrong} at an odd byte`);
    }
  }
});

test.run();
