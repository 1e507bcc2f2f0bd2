import {
  columnsInOrder,
  invertOrder,
  naturalOrder,
  permuteSymmetric,
  restoreOrder,
  transposeInOrder,
  unpackInOrder,
} from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";

test("a transpose in an order, and back", () => {
  const values = Float32Array.of(1, 2, 3, 4, 5, 6);
  const order = Int32Array.of(2, 0, 1);
  const turned = transposeInOrder(values, 2, 3, order);
  assert.equal([...turned], [3, 6, 1, 4, 2, 5]);
  assert.equal(restoreOrder(turned, 2, 3, order), values);
});

test("columns in an order, and back", () => {
  const values = Float32Array.of(1, 2, 3, 4, 5, 6);
  const order = Int32Array.of(2, 0, 1);
  const moved = columnsInOrder(values, order);
  assert.equal([...moved], [3, 1, 2, 6, 4, 5]);
  assert.equal(columnsInOrder(moved, invertOrder(order)), values);
});

test("bytes, and sizes beyond a tile", () => {
  const [rows, columns] = [45, 70];
  const values = Uint8Array.from({ length: rows * columns }, (_, index) => index % 251);
  const order = naturalOrder(columns).toReversed();
  const turned = transposeInOrder(values, rows, columns, order);
  assert.is(turned[rows * 3 + 44], values[44 * columns + columns - 4]);
  assert.equal(restoreOrder(turned, rows, columns, order), values);
});

test("an order and its inverse", () => {
  assert.equal([...invertOrder(Int32Array.of(2, 0, 1))], [1, 2, 0]);
  assert.equal([...naturalOrder(3)], [0, 1, 2]);
});

test("rows and columns of a square matrix move together", () => {
  const matrix = Float32Array.of(11, 12, 13, 21, 22, 23, 31, 32, 33);
  const moved = permuteSymmetric(matrix, Int32Array.of(2, 0, 1));
  assert.equal([...moved], [33, 31, 32, 13, 11, 12, 23, 21, 22]);
});

test("a packed symmetric matrix in an order is the upper half of the whole one in that order", () => {
  const packed = Float32Array.of(11, 12, 13, 22, 23, 33);
  assert.equal([...unpackInOrder(packed, Int32Array.of(2, 0, 1))], [33, 13, 23, 0, 11, 12, 0, 0, 22]);
  assert.equal([...unpackInOrder(packed, naturalOrder(3))], [11, 12, 13, 0, 22, 23, 0, 0, 33]);
});

test.run();
