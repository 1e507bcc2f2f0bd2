import { test } from "uvu";
import * as assert from "uvu/assert";
import { createGroupRescaler, createReferenceRescaler } from "../src/columns/group-rescaler.ts";
import { randomNumbers } from "./random-numbers.ts";

/** From -1 to 1. */
function randomValues(length: number, seed: number): Float32Array {
  const next = randomNumbers(seed);
  return Float32Array.from({ length }, () => 2 * next() - 1);
}

test("SIMD gives the bits of the plain form, also where rows are no whole vectors", () => {
  for (const [columns, rows, first, last] of [
    [8, 32, 0, 8],
    [12, 37, 4, 9],
    [5, 3, 1, 4],
  ] as const) {
    const [plain, simd] = [createReferenceRescaler(columns, rows), createGroupRescaler(columns, rows)];
    const codes = Uint8Array.from(randomValues((last - first) * rows, 4), (value) => Math.round(Math.abs(value) * 40) % 256);
    const scales = randomValues(rows, 5).map((value) => Math.abs(value) + 0.01);
    const zeros = Float32Array.from({ length: rows }, (_, row) => row % 16);
    const changes = randomValues(rows, 6);
    for (const rescaler of [plain, simd]) {
      for (const [seed, name] of (["values", "gradient", "products"] as const).entries()) {
        rescaler[name].set(randomValues(columns * rows, seed));
      }
    }
    const [expected, found] = [plain.sums(first, last), simd.sums(first, last)];
    assert.equal([...found.slopes, ...found.curvatures], [...expected.slopes, ...expected.curvatures], `${rows} rows`);
    for (const rescaler of [plain, simd]) rescaler.rescale(first, last, changes, codes, { scales, zeros, maximum: 255 });
    assert.equal([...simd.values], [...plain.values], `${rows} rows`);
    assert.equal([...simd.gradient], [...plain.gradient], `${rows} rows`);
  }
});

test.run();
