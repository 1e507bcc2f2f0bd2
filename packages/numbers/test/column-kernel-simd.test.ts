import { createReferenceKernel, createSimdKernel } from "@mbs/numbers";
import type { Choice, ColumnKernel, KernelOptions } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at } from "@mbs/contracts";
import { unevenLevels as levels } from "./block-rules.ts";
import { randomNumbers } from "./random-numbers.ts";

interface Step {
  readonly first: number;
  readonly last: number;
  readonly choice: Choice;
}

function fill(kernel: ColumnKernel, columns: number, seed: number): void {
  const next = randomNumbers(seed);
  kernel.weights.set(kernel.weights.map(() => next() - 0.5));
  for (let row = 0; row < columns; row += 1) {
    for (let column = row; column < columns; column += 1) {
      kernel.upper[row * columns + column] = row === column ? 0.5 + next() : next() - 0.5;
      if (kernel.asymmetry && row < column) kernel.asymmetry[row * columns + column] = (next() - 0.5) / 4;
    }
  }
}

function compare(columns: number, rows: number, steps: readonly Step[], options: KernelOptions = {}): void {
  const plain = createReferenceKernel(columns, rows, options);
  const fast = createSimdKernel(columns, rows, options);
  fill(plain, columns, 7);
  fill(fast, columns, 7);
  for (const { first, last, choice } of steps) {
    assert.equal(fast.fix(first, last, choice).slice(), plain.fix(first, last, choice), `codes of ${first} to ${last}`);
    assert.equal(fast.weights.slice(), plain.weights, `weights after column ${last}`);
  }
  assert.equal(fast.errors.slice(), plain.errors);
}

const next = randomNumbers(3);
const gridOf = (rows: number, maximum: number) => ({
  maximum,
  scales: Float32Array.from({ length: rows }, () => 0.01 + next() / 10),
  zeros: Float32Array.from({ length: rows }, () => Math.round(next() * maximum)),
});
const maskOf = (length: number) => Uint8Array.from({ length }, () => Math.round(next()));

for (const rows of [1, 31, 32, 33, 100]) {
  const steps = [
    { first: 0, last: 5, choice: { grid: gridOf(rows, 7) } },
    { first: 5, last: 6, choice: { mask: maskOf(rows) } },
    { first: 6, last: 10, choice: { mask: maskOf(4 * rows), grid: gridOf(rows, 255) } },
    { first: 10, last: 12, choice: {} },
  ];
  test(`${rows} rows: both kernels give the same bits, with grids, masks, both and neither`, () => compare(12, rows, steps));
  test(`${rows} rows, values moving on: both kernels give the same bits`, () =>
    compare(12, rows, steps, { carriesValues: true }));
  test(`${rows} rows, with an asymmetry: both kernels give the same bits`, () => compare(12, rows, steps, { asymmetric: true }));
}

const someZero = (values: Float32Array): Float32Array => values.map((value, index) => (index % 7 === 3 ? 0 : value));

for (const rows of [1, 32, 45]) {
  const scales = (count: number, unit: number): Float32Array =>
    Float32Array.from({ length: count * rows }, () => (0.02 + next() / 10) * (next() < 0.3 ? -unit : unit));
  const steps = [
    { first: 0, last: 5, choice: { columnGrids: { scales: scales(5, 1), offsets: scales(5, 1), zero: 0, maximum: 15 } } },
    { first: 5, last: 6, choice: { columnGrids: { scales: scales(1, 1), zero: 4, maximum: 7 } } },
    { first: 6, last: 10, choice: { columnGrids: { scales: someZero(scales(4, 0.01)), zero: 0, maximum: 15, levels } } },
    { first: 10, last: 12, choice: { columnGrids: { scales: scales(1, 1), offsets: scales(1, 1), zero: 0, maximum: 15 } } },
  ];
  test(`${rows} rows: both kernels give the same bits with grids of their own for each column, or for neighbours`, () => {
    compare(12, rows, steps, { columnGrids: true });
    compare(12, rows, steps, { columnGrids: true, asymmetric: true });
  });
}

test("offsets move a grid, and levels need not be equally far apart", () => {
  const kernel = createSimdKernel(2, 3, { columnGrids: true });
  kernel.upper.set([1, 0, 0, 1]);
  kernel.weights.set([-0.75, 0.25, 9, -254, 3, -300]);
  const affine = { zero: 0, maximum: 3, scales: new Float32Array(3).fill(0.5), offsets: new Float32Array(3).fill(1) };
  assert.equal([...kernel.fix(0, 1, { columnGrids: affine })], [0, 2, 3]);
  const uneven = { zero: 0, maximum: 15, scales: Float32Array.of(2, -2, 2), levels };
  assert.equal([...kernel.fix(1, 2, { columnGrids: uneven })], [0, 8, 0]);
  assert.equal([...kernel.weights], [-1, 0, 0.5, -254, -2, -254]);
});

test("where values move on, a later column loses the value of an earlier one by its share", () => {
  const kernel = createSimdKernel(2, 2, { carriesValues: true });
  // the diagonal is not read
  kernel.upper.set([NaN, 0.5, 0, NaN]);
  kernel.weights.set([1.25, -3, 2, 2]);
  const grid = { maximum: 7, scales: new Float32Array(2).fill(1), zeros: new Float32Array(2).fill(4) };
  kernel.fix(0, 1, { grid });
  assert.equal([...kernel.weights], [1, -3, 1.5, 3.5]);
  assert.equal([...kernel.errors.subarray(0, 2)], [1, -3]);
});

test("a block of one column", () => {
  compare(1, 40, [{ first: 0, last: 1, choice: { grid: gridOf(40, 3) } }]);
});

test("ties are rounded to even, and codes stay on the grid", () => {
  const kernel = createSimdKernel(1, 6);
  kernel.upper[0] = 1;
  kernel.weights.set([0.5, 1.5, 2.5, -0.5, 9, -9]);
  const grid = { maximum: 7, scales: new Float32Array(6).fill(1), zeros: new Float32Array(6).fill(2) };
  assert.equal([...kernel.fix(0, 1, { grid })], [2, 4, 4, 2, 7, 0]);
  assert.equal([...kernel.weights], [0, 2, 2, 0, 5, -2]);
  assert.equal([...kernel.errors], [0.5, -0.5, 0.5, -0.5, 4, -7]);
});

test("an asymmetry of zeros changes no bit", () => {
  const kernels = [false, true].map((asymmetric) => createSimdKernel(12, 37, { asymmetric }));
  const grid = gridOf(37, 7);
  for (const kernel of kernels) {
    fill(kernel, 12, 7);
    kernel.weights.set(Float32Array.from(kernel.weights, (_, index) => Math.fround(Math.sin(index))));
    kernel.upper.fill(0.5);
    kernel.asymmetry?.fill(0);
    kernel.fix(0, 12, { grid });
  }
  assert.equal(at(kernels, 1).weights.slice(), at(kernels, 0).weights.slice());
  assert.equal(at(kernels, 1).errors.slice(), at(kernels, 0).errors.slice());
});

test.run();
