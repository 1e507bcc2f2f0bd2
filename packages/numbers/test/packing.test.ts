import { InternalError } from "@mbs/contracts";
import { packedDiagonal, packedLength, packedRowStart, packUpper, unpackUpper } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";

const matrix = Float32Array.of(1, 2, 3, 2, 4, 5, 3, 5, 6);

const refused = (error: unknown): boolean => error instanceof InternalError;

test("packs the upper half row by row", () => {
  const packed = packUpper(matrix, 3);
  assert.equal([...packed], [1, 2, 3, 4, 5, 6]);
  assert.is(packedLength(3), 6);
  assert.equal(
    [0, 1, 2].map((row) => packedRowStart(3, row)),
    [0, 3, 5],
  );
  assert.equal([...packedDiagonal(packed, 3)], [1, 4, 6]);
});

test("unpacks to a symmetric or a triangular matrix", () => {
  const packed = packUpper(matrix, 3);
  assert.equal(unpackUpper(packed, 3, "mirror"), matrix);
  assert.equal([...unpackUpper(packed, 3, "zero")], [1, 2, 3, 0, 4, 5, 0, 0, 6]);
  const into = new Float32Array(new SharedArrayBuffer(36)).fill(9);
  assert.is(unpackUpper(packed, 3, "zero", into), into, "memory that is used again");
  assert.equal([...into], [1, 2, 3, 0, 4, 5, 0, 0, 6]);
});

test("a size that fills no whole tile", () => {
  const size = 75;
  const symmetric = Float32Array.from({ length: size * size }, (_, index) => {
    const row = Math.floor(index / size);
    return Math.min(row, index % size) * 100 + Math.max(row, index % size);
  });
  assert.equal(unpackUpper(packUpper(symmetric, size), size, "mirror"), symmetric);
});

test("a wrong length is refused", () => {
  assert.throws(() => packUpper(matrix, 2), refused);
  assert.throws(() => unpackUpper(matrix, 3, "zero"), refused);
  assert.throws(() => unpackUpper(packUpper(matrix, 3), 3, "zero", new Float32Array(8)), refused);
  assert.throws(() => packedDiagonal(matrix, 3), refused);
});

test.run();
