import { test } from "uvu";
import * as assert from "uvu/assert";
import { mantelTest, offDiagonal } from "./mantel.ts";
import type { SquareMatrix } from "./mantel.ts";

/** Distances of points on a line. */
const distances = (points: readonly number[]): SquareMatrix => points.map((a) => points.map((b) => Math.abs(a - b)));

test("entries off the diagonal, row by row and renamed", () => {
  const matrix = [
    [0, 1, 2],
    [3, 0, 4],
    [5, 6, 0],
  ];
  assert.equal(offDiagonal(matrix), [1, 2, 3, 4, 5, 6]);
  assert.equal(offDiagonal(matrix, [1, 0, 2]), [3, 4, 1, 2, 6, 5]);
});

test("the same distances go together, and no naming of eight languages does as well by chance", () => {
  const matrix = distances([0, 1, 3, 7, 12, 20, 33, 54]);
  const { value, p } = mantelTest("pearson", matrix, matrix);
  assert.ok(Math.abs(value - 1) < 1e-12);
  assert.ok(p < 0.005, `${p}`);
});

test("the p-value counts namings, not pairs: three languages have six, so nothing is rare", () => {
  const matrix = distances([0, 1, 10]);
  const { value, p } = mantelTest("pearson", matrix, matrix);
  assert.ok(Math.abs(value - 1) < 1e-12);
  // one naming of six gives the same matrix
  assert.ok(p > 0.12 && p < 0.22, `${p}`);
});

test.run();
