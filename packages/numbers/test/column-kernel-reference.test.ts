import { createReferenceKernel, roundHalfEven } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("rounds halves to even, and leaves what is no ordinary number alone", () => {
  assert.equal([0.5, 1.5, 2.5, -0.5, -1.5, 0.49999997, 7].map(roundHalfEven), [0, 2, 2, -0, -2, 0, 7]);
  assert.equal([Infinity, NaN, 1e300].map(roundHalfEven), [Infinity, NaN, 1e300]);
});

test("two columns by hand: the first one's error moves on to the second", () => {
  const kernel = createReferenceKernel(2, 1);
  kernel.upper.set([0.5, 0.25, 0, 2]);
  kernel.weights.set([1.25, 3]);
  const grid = { scales: Float32Array.of(1), zeros: Float32Array.of(0), maximum: 3 };
  // e = (1.25 - 1) / 0.5 = 0.5; the second column becomes 3 - 0.5·0.25 = 2.875 → 3, e = (2.875 - 3) / 2
  assert.equal([...kernel.fix(0, 2, { grid })], [1, 3]);
  assert.equal([...kernel.weights], [1, 3]);
  assert.equal([...kernel.errors], [0.5, -0.0625]);
});

test("a pruned weight moves its whole value on, a kept one nothing", () => {
  const kernel = createReferenceKernel(2, 2);
  kernel.upper.set([1, 0.5, 0, 1]);
  kernel.weights.set([2, 4, 10, 20]);
  kernel.fix(0, 1, { mask: Uint8Array.of(0, 1) });
  assert.equal([...kernel.weights], [0, 4, 9, 20]);
  assert.equal([...kernel.errors], [2, 0, 0, 0]);
});

test("with an asymmetry the weight of each column moves on as it was when it was rounded", () => {
  const kernel = createReferenceKernel(3, 1, { asymmetric: true });
  kernel.upper.set([0.5, 0.25, 0, 0, 2, 0, 0, 0, 1]);
  kernel.asymmetry?.set([0, 0.5, 1, 0, 0, 4, 0, 0, 0]);
  kernel.weights.set([1.25, 3, 0]);
  const grid = { scales: Float32Array.of(1), zeros: Float32Array.of(0), maximum: 20 };
  // second: 3 - (0.5·0.25 - 1.25·0.5) = 3.5 → 4; third: 0 + 1.25·1 + 3.5·4 = 15.25 → 15
  assert.equal([...kernel.fix(0, 3, { grid })], [1, 4, 15]);
  assert.equal([...kernel.errors], [0.5, -0.25, 0.25]);
});

test.run();
