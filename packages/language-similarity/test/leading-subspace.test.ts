import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { createBlas } from "@mbs/onnx";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { leadingSubspace, subspaceOverlap } from "../src/similarity/leading-subspace.ts";
import { symmetricEigen } from "../src/similarity/symmetric-eigen.ts";
import { cosineBasis, fromEigen, randomGram } from "./matrices.ts";

const test = suite("leading subspace");
const blas = createBlas({ threads: 1 });
test.after(() => blas.release());

/**
 * Products in float32 turn directions by at most about 96 · 2⁻²⁴ = 6e-6 of a sum over the gap between eigenvalues; overlaps
 * are squares of cosines, in which that counts squared, so that what is left is how far the iteration has come.
 */
const turned = 1e-4;

const matrixOf = (values: Float32Array, size: number): Matrix => ({ rows: size, columns: size, values });

/** Vectors in rows → orthonormal columns. */
function columnsOf(vectors: ArrayLike<number>, size: number, count: number): Matrix {
  const values = new Float32Array(size * count);
  for (let column = 0; column < count; column += 1) {
    for (let row = 0; row < size; row += 1) values[row * count + column] = at(vectors, column * size + row);
  }
  return { rows: size, columns: count, values };
}

test("finds the eigenvectors that a matrix was made of, also where they lie close", async () => {
  const size = 96;
  const basis = cosineBasis(size);
  for (const ratio of [0.5, 0.97]) {
    const matrix = matrixOf(
      fromEigen(basis, size, (index) => ratio ** index),
      size,
    );
    for (const count of [1, 5, 16]) {
      const found = await leadingSubspace(blas, (block) => blas.gemm(matrix, block), size, count);
      assert.equal([found.rows, found.columns], [size, count]);
      const overlap = await subspaceOverlap(blas, found, columnsOf(basis, size, count));
      assert.ok(overlap / count > 1 - turned, `${ratio} ${count}: ${overlap / count}`);
      assert.ok(
        Math.abs((await subspaceOverlap(blas, found, found)) / count - 1) < 1e-5,
        "columns of length 1, to the rounding of 96 squares: 6e-6",
      );
    }
  }
});

test("agrees with the plain reference on a random Gram", async () => {
  const size = 60;
  const gram = randomGram(size, 40, 3);
  const found = await leadingSubspace(blas, (block) => blas.gemm(matrixOf(gram, size), block), size, 8);
  const exact = columnsOf(symmetricEigen(gram, size).vectors, size, 8);
  assert.ok((await subspaceOverlap(blas, found, exact)) / 8 > 1 - turned);
});

test("a matrix of few directions has no others", async () => {
  const size = 40;
  const basis = cosineBasis(size);
  const matrix = matrixOf(
    fromEigen(basis, size, (index) => (index < 3 ? 3 - index : 0)),
    size,
  );
  const found = await leadingSubspace(blas, (block) => blas.gemm(matrix, block), size, 6);
  assert.ok(Math.abs((await subspaceOverlap(blas, found, found)) - 3) < turned);
  assert.ok(Math.abs((await subspaceOverlap(blas, found, columnsOf(basis, size, 3))) - 3) < turned);
});

test("the reference diagonalises: values in order, vectors orthonormal, H·v = λ·v", () => {
  const size = 12;
  const gram = randomGram(size, 9, 5);
  const { values, vectors } = symmetricEigen(gram, size);
  for (let i = 0; i < size; i += 1) {
    if (i > 0) assert.ok(at(values, i - 1) >= at(values, i));
    for (let j = 0; j < size; j += 1) {
      let dot = 0;
      let product = 0;
      for (let k = 0; k < size; k += 1) {
        dot += at(vectors, i * size + k) * at(vectors, j * size + k);
        product += at(gram, j * size + k) * at(vectors, i * size + k);
      }
      assert.ok(Math.abs(dot - (i === j ? 1 : 0)) < 1e-12, `${i} ${j}`);
      assert.ok(Math.abs(product - at(values, i) * at(vectors, i * size + j)) < 1e-9 * at(values, 0));
    }
  }
  assert.equal([...symmetricEigen([2], 1).values], [2]);
});

test.run();
