import { at, BadDataError } from "@mbs/contracts";
import { inverseFactor, inverseFactorReference, NotPositiveDefiniteError } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { plainBlas, plainDoubleBlas } from "./plain-blas.ts";
import { randomNumbers } from "./random-numbers.ts";

/** XᵀX of random X plus a ridge, in float64. */
function positive(size: number, ridge: number): Float64Array {
  const next = randomNumbers(size);
  const tokens = size + 10;
  const x = Float64Array.from({ length: tokens * size }, () => next() - 0.5);
  return Float64Array.from({ length: size * size }, (_, index) => {
    const row = Math.floor(index / size);
    const column = index % size;
    let sum = row === column ? ridge : 0;
    for (let token = 0; token < tokens; token += 1) sum += at(x, token * size + row) * at(x, token * size + column);
    return sum;
  });
}

const worst = (values: ArrayLike<number>, wanted: (index: number) => number): number =>
  Array.from(values).reduce((most, value, index) => Math.max(most, Math.abs(value - wanted(index))), 0);

/** UᵀU·H. */
function identityOf(U: Float64Array, H: Float64Array, size: number): Float64Array {
  const entry = (index: number, term: (row: number, column: number, k: number) => number): number => {
    let sum = 0;
    for (let k = 0; k < size; k += 1) sum += term(Math.floor(index / size), index % size, k);
    return sum;
  };
  const UH = U.map((_, index) => entry(index, (row, column, k) => at(U, row * size + k) * at(H, k * size + column)));
  return U.map((_, index) => entry(index, (row, column, k) => at(U, k * size + row) * at(UH, k * size + column)));
}

test("a factor that can be worked out by hand", () => {
  // H = [[5, 2], [2, 1]] = R·Rᵀ with R = [[1, 2], [0, 1]], so U = R⁻¹ = [[1, -2], [0, 1]]
  assert.equal([...inverseFactorReference([5, 2, 2, 1], 2)], [1, -2, 0, 1]);
});

for (const size of [1, 5, 64, 65, 130, 200]) {
  test(`UᵀU·H is the identity and U is upper triangular, size ${size}`, async () => {
    const H = positive(size, 0.1);
    const reference = inverseFactorReference(H, size);
    const blocked = await inverseFactor(plainDoubleBlas, H.slice(), size);
    assert.ok(worst(identityOf(reference, H, size), (index) => Number(index % (size + 1) === 0)) < 1e-9);
    for (let row = 0; row < size; row += 1) {
      assert.ok(at(blocked, row * (size + 1)) > 0);
      assert.ok(blocked.subarray(row * size, row * size + row).every((value) => value === 0));
    }
    assert.ok(worst(blocked, (index) => at(reference, index)) < 1e-9);
  });
}

test("single precision stays within 1e-5 of double, relative to the largest value", async () => {
  const size = 150;
  const H = positive(size, 1);
  const reference = inverseFactorReference(H, size);
  const found = await inverseFactor(plainBlas, Float32Array.from(H), size);
  const largest = reference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  assert.ok(worst(found, (index) => at(reference, index)) < 1e-5 * largest);
});

test("the factor overwrites the matrix, whose lower half is not read", async () => {
  const size = 100;
  const H = positive(size, 1);
  const upperOnly = H.map((value, index) => (index % size < Math.floor(index / size) ? 1e30 : value));
  const found = await inverseFactor(plainDoubleBlas, upperOnly, size);
  assert.is(found, upperOnly);
  assert.equal(found, await inverseFactor(plainDoubleBlas, H, size));
});

for (const bad of [-1, 0, NaN, Infinity]) {
  test(`pivot ${bad} in column 70 of 100 is named`, async () => {
    const size = 100;
    const H = new Float64Array(size * size);
    for (let column = 0; column < size; column += 1) H[column * (size + 1)] = column === 70 ? bad : 2;
    try {
      await inverseFactor(plainDoubleBlas, H, size);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, NotPositiveDefiniteError);
      assert.instance(error, BadDataError);
      assert.is((error as NotPositiveDefiniteError).pivot, 70);
    }
  });
}

test.run();
