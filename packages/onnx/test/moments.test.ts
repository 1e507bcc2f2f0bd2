import { at, InternalError } from "@mbs/contracts";
import { createMomentKernel } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";

const kernel = createMomentKernel({ threads: 2 });

const states = (rows: number, columns: number, seed: number) => ({
  rows,
  columns,
  values: Float32Array.from({ length: rows * columns }, (_, index) => Math.sin(seed + index * 1.7) + 0.3),
});

/** How far float32 may lie from the sum of `terms` positive terms, as a share of it, in whatever order they are added. */
const rounding = (terms: number): number => terms * 2 ** -24;

/** Σ x xᵀ in float64, packed upper half. */
function plain(segments: readonly ReturnType<typeof states>[], width: number): number[] {
  const sum: number[] = [];
  for (let row = 0; row < width; row += 1) {
    for (let column = row; column < width; column += 1) {
      let value = 0;
      for (const { rows, values } of segments) {
        for (let token = 0; token < rows; token += 1)
          value += at(values, token * width + row) * at(values, token * width + column);
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
] as const) {
  test(`sums two segments at width ${width}`, async () => {
    const segments = [states(tokens, width, 1), states(tokens - 1, width, 2)];
    const sum = kernel.gram(width);
    for (const segment of segments) await sum.add(segment);
    assert.is(sum.tokens, 2 * tokens - 1);
    const wanted = plain(segments, width);
    const found = sum.mean(1);
    assert.is(found.length, wanted.length);
    const worst = found.reduce((most, value, index) => Math.max(most, Math.abs(value - at(wanted, index))), 0);
    // |Σ x y| ≤ the largest Σ x²
    const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    assert.ok(worst < rounding(2 * tokens) * largest, `off by ${worst} of ${largest}`);
  });
}

test("means are added with their shares to those of others, and a sum begins again", async () => {
  const width = 600;
  const sum = kernel.gram(width);
  const [first, second] = [states(5, width, 1), states(3, width, 2)];
  await sum.add(first);
  const own = sum.mean(5);
  const mixed = new Float32Array(own.length);
  sum.addMean(5, 0.25, mixed);
  const diagonal = sum.diagonal();
  assert.is(diagonal.length, width);
  assert.is(at(diagonal, 599), Math.fround(at(sum.mean(1), own.length - 1)));
  sum.clear();
  assert.is(sum.tokens, 0);
  await sum.add(second);
  const other = sum.mean(3);
  sum.addMean(3, 0.75, mixed);
  const wanted = own.map((value, index) => Math.fround(0.25 * value) + 0.75 * at(other, index));
  assert.equal(mixed, wanted);
});

test("256 segments add up to what single precision allows", async () => {
  const width = 24;
  const sum = kernel.gram(width);
  const segments = Array.from({ length: 256 }, (_, index) => states(64, width, index));
  for (const segment of segments) await sum.add(segment);
  const wanted = plain(segments, width);
  const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = sum.mean(1).reduce((most, value, index) => Math.max(most, Math.abs(value - at(wanted, index))), 0);
  // 64 tokens a segment are added, then 256 segments; 6e-7 where this was measured
  assert.ok(worst < rounding(64 + 256) * largest, `off by ${worst / largest}`);
});

test("no tokens change nothing; another width is refused", async () => {
  const sum = kernel.gram(3);
  await sum.add(states(0, 3, 0));
  assert.is(sum.tokens, 0);
  assert.equal([...sum.mean(1)], [0, 0, 0, 0, 0, 0]);
  try {
    await sum.add(states(2, 4, 0));
    assert.unreachable();
  } catch (error) {
    assert.instance(error, InternalError);
  }
});

test.after(() => kernel.release());

test.run();
