import { test } from "uvu";
import * as assert from "uvu/assert";
import { at } from "@mbs/contracts";
import { packUpper } from "@mbs/numbers";
import { plainBlas } from "../src/conformance/plain-blas.ts";
import { outputByRow, outputsByRow } from "../src/index.ts";

// more rows than are multiplied at a time, and a width of more than a panel
const [rows, columns] = [700, 270];
const ramp = (length: number, shift: number): Float32Array =>
  Float32Array.from({ length }, (_, index) => ((index * 37 + shift) % 101) / 101 - 0.5);

const gram = (() => {
  const half = ramp(columns * columns, 5);
  return half.map((value, index) => value + at(half, (index % columns) * columns + Math.floor(index / columns)));
})();

/** m·H·mᵀ of one row, by its definition. */
function outputOf(matrix: Float32Array, row: number): number {
  const own = matrix.subarray(row * columns, (row + 1) * columns);
  let sum = 0;
  for (const [i, left] of own.entries()) {
    for (const [j, right] of own.entries()) sum += left * right * at(gram, i * columns + j);
  }
  return sum;
}

test("outputs of several matrices, from a whole Gram and from its packed half", async () => {
  const matrices = [ramp(rows * columns, 1), ramp(rows * columns, 64)];
  const whole = await outputsByRow(plainBlas, matrices, rows, { gram });
  const half = await outputsByRow(plainBlas, matrices, rows, { packedGram: packUpper(gram, columns) });
  assert.equal(half, whole);
  for (const [index, matrix] of matrices.entries()) {
    assert.equal(await outputByRow(plainBlas, matrix, rows, { gram }), at(whole, index));
    // sums of 73,000 products of numbers up to 1/4: products of a panel are rounded to float32
    for (const row of [0, 349, 350, rows - 1]) {
      assert.ok(Math.abs(at(at(whole, index), row) - outputOf(matrix, row)) < 1e-4, `row ${row}`);
    }
  }
});

test("outputs from a diagonal", async () => {
  const [output] = await outputsByRow(plainBlas, [Float32Array.of(1, 2, 3, 4)], 2, { diagonal: Float32Array.of(10, 100) });
  assert.equal([...(output ?? [])], [410, 1690]);
});

test.run();
