import { InternalError } from "@mbs/contracts";
import { createGramKernel } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";

const kernel = createGramKernel({ threads: 2 });

const states = (rows: number, columns: number, seed: number) => ({
  rows,
  columns,
  values: Float32Array.from({ length: rows * columns }, (_, index) => Math.sin(seed + index * 1.7) + 0.3),
});

/** Σ x xᵀ in float64, packed upper half. */
function plain(segments: readonly ReturnType<typeof states>[], width: number): number[] {
  const sum: number[] = [];
  for (let row = 0; row < width; row += 1) {
    for (let column = row; column < width; column += 1) {
      let value = 0;
      for (const { rows, values } of segments) {
        for (let token = 0; token < rows; token += 1) value += values[token * width + row] * values[token * width + column];
      }
      sum.push(value);
    }
  }
  return sum;
}

// 770 and 1300 take two and three panels, of unequal widths
for (const [width, tokens] of [
  [1, 5],
  [7, 40],
  [770, 9],
  [1300, 4],
]) {
  test(`sums two segments at width ${width}`, async () => {
    const segments = [states(tokens, width, 1), states(tokens - 1, width, 2)];
    const sum = kernel.sum(width);
    for (const segment of segments) await sum.add(segment);
    assert.is(sum.tokens, 2 * tokens - 1);
    const wanted = plain(segments, width);
    const found = sum.packed();
    assert.is(found.length, wanted.length);
    const worst = found.reduce((most, value, index) => Math.max(most, Math.abs(value - wanted[index])), 0);
    assert.ok(worst < 1e-5 * wanted[0], `off by ${worst} of ${wanted[0]}`);
  });
}

test("256 segments add up to within 1e-6 of the largest value", async () => {
  const width = 24;
  const sum = kernel.sum(width);
  const segments = Array.from({ length: 256 }, (_, index) => states(64, width, index));
  for (const segment of segments) await sum.add(segment);
  const wanted = plain(segments, width);
  const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = sum.packed().reduce((most, value, index) => Math.max(most, Math.abs(value - wanted[index])), 0);
  assert.ok(worst < 1e-6 * largest, `off by ${worst / largest}`);
});

test("no tokens change nothing; another width is refused", async () => {
  const sum = kernel.sum(3);
  await sum.add(states(0, 3, 0));
  assert.is(sum.tokens, 0);
  assert.equal([...sum.packed()], [0, 0, 0, 0, 0, 0]);
  try {
    await sum.add(states(2, 4, 0));
    assert.unreachable();
  } catch (error) {
    assert.instance(error, InternalError);
  }
});

test.after(() => kernel.release());

test.run();
