import { test } from "uvu";
import * as assert from "uvu/assert";
import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { hadamard, hasHadamard, keepingMean, randomHadamard, randomOrthogonal, seededGenerator } from "../src/index.ts";

/** Largest entry of |R·Rᵀ - I|. */
function distanceFromOrthogonal({ rows: size, values }: Matrix<Float64Array>): number {
  let most = 0;
  for (let row = 0; row < size; row += 1) {
    for (let other = 0; other <= row; other += 1) {
      let dot = 0;
      for (let column = 0; column < size; column += 1) dot += at(values, row * size + column) * at(values, other * size + column);
      most = Math.max(most, Math.abs(dot - (row === other ? 1 : 0)));
    }
  }
  return most;
}

test("hadamard matrices of hidden sizes and heads, exactly", () => {
  // 36 by Paley's second construction, 20 by his first; 576, 640 and 768 are hidden sizes of models
  for (const order of [1, 2, 4, 12, 20, 28, 36, 44, 64, 76, 80, 96, 104, 200, 256, 576, 640, 768]) {
    const matrix = hadamard(order);
    if (matrix === undefined) throw new Error(`no matrix of order ${order}`);
    assert.is(matrix.length, order * order);
    assert.ok(matrix.every((entry) => entry === 1 || entry === -1));
    for (let row = 0; row < order; row += 1) {
      for (let other = 0; other < row; other += 1) {
        let dot = 0;
        for (let column = 0; column < order; column += 1)
          dot += at(matrix, row * order + column) * at(matrix, other * order + column);
        if (dot !== 0) throw new Error(`rows ${row} and ${other} of order ${order} have the product ${dot}`);
      }
    }
  }
});

test("orders without a matrix: no multiple of 4, and 92 = 4·23, which Paley's constructions do not reach", () => {
  for (const order of [3, 6, 10, 18, 50, 92]) {
    assert.not(hasHadamard(order), String(order));
    assert.is(hadamard(order), undefined);
  }
  assert.ok(hasHadamard(2048) && hasHadamard(5120) && hasHadamard(3584) && hasHadamard(7168));
});

test("random rotations are orthogonal, and the same for the same seed alone", () => {
  const hadamards = [0, 0, 1].map((seed) => randomHadamard(48, seededGenerator(seed, "stream")));
  const [first, again, other] = hadamards;
  if (first === undefined) throw new Error("48 = 12·4 has a matrix");
  assert.ok(distanceFromOrthogonal(first) < 1e-14);
  assert.equal(first.values, again?.values);
  assert.not.equal(first.values, other?.values);
  const random = randomOrthogonal(50, seededGenerator(0, "stream"));
  assert.ok(distanceFromOrthogonal(random) < 1e-14);
  assert.equal(random.values, randomOrthogonal(50, seededGenerator(0, "stream")).values);
  assert.is(randomHadamard(50, seededGenerator(0)), undefined);
});

test("keepingMean leaves vectors of ones as they are, and the matrix orthogonal", () => {
  const rotation = randomHadamard(64, seededGenerator(3));
  if (rotation === undefined) throw new Error("64 is a power of two");
  const kept = keepingMean(rotation);
  assert.ok(distanceFromOrthogonal(kept) < 1e-13);
  for (let index = 0; index < 64; index += 1) {
    let [row, column] = [0, 0];
    for (let other = 0; other < 64; other += 1) {
      row += at(kept.values, index * 64 + other);
      column += at(kept.values, other * 64 + index);
    }
    assert.ok(Math.abs(row - 1) < 1e-12 && Math.abs(column - 1) < 1e-12);
  }
  assert.not.equal(kept.values, rotation.values);
  // entries of a Hadamard rotation are ±1/8: what is changed leaves none of them large
  assert.ok(kept.values.every((value) => Math.abs(value) < 3 / 8));
  assert.equal(keepingMean(kept).values, kept.values);
});

test.run();
