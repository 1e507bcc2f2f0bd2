import { at, InternalError } from "@mbs/contracts";
import { createReferenceKernel, inverseFactorReference, roundHalfEven, walkColumns } from "@mbs/numbers";
import type { FittedGrid } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { plainBlas } from "./plain-blas.ts";
import { randomNumbers } from "./random-numbers.ts";

const columns = 23;
const rows = 37;
const next = randomNumbers(11);
const states = Float64Array.from({ length: 60 * columns }, () => next() - 0.5);
// neighbouring columns resemble each other, as real inputs do
for (let index = 1; index < states.length; index += 1) states[index] = at(states, index) + 0.8 * at(states, index - 1);
const hessian = Float64Array.from({ length: columns * columns }, (_, index) => {
  let sum = index % (columns + 1) === 0 ? 0.01 : 0;
  for (let token = 0; token < 60; token += 1) {
    sum += (at(states, token * columns + Math.floor(index / columns)) * at(states, token * columns + (index % columns))) / 60;
  }
  return sum;
});
const upper = Float32Array.from(inverseFactorReference(hessian, columns));
const start = Float32Array.from({ length: columns * rows }, () => next() - 0.5);
const grid: FittedGrid = { scales: new Float32Array(rows).fill(0.1), zeros: new Float32Array(rows).fill(4), maximum: 7 };

const weightsOf = (values: Float32Array) => ({ rows: columns, columns: rows, values });

/** Quantises all columns in blocks of a size. */
async function quantise(blockSize: number) {
  const values = start.slice();
  const errors = await walkColumns(plainBlas, { weights: weightsOf(values), upper, blockSize }, (block) => {
    block.fix(0, block.columns, { grid });
  });
  return { values, errors };
}

const worst = (values: Float32Array, wanted: Float32Array): number =>
  values.reduce((most, value, index) => Math.max(most, Math.abs(value - at(wanted, index))), 0);

test("blocks of any size come to what one block for all comes to", async () => {
  const whole = createReferenceKernel(columns, rows);
  whole.weights.set(start);
  whole.upper.set(upper);
  whole.fix(0, columns, { grid });
  for (const blockSize of [1, 4, 8, 23, 128]) {
    const { values, errors } = await quantise(blockSize);
    assert.ok(worst(values, whole.weights) < 1e-6, `block ${blockSize}`);
    assert.ok(worst(errors, whole.errors) < 1e-5, `block ${blockSize}`);
  }
});

test("the squared errors sum to tr(ΔW·H·ΔWᵀ), which is less than plain rounding's", async () => {
  const { values, errors } = await quantise(8);
  const rounded = start.map((value) => (Math.min(Math.max(roundHalfEven(value / 0.1) + 4, 0), 7) - 4) * 0.1);
  const cost = (changed: Float32Array): number => {
    let sum = 0;
    for (let first = 0; first < columns; first += 1) {
      for (let second = 0; second < columns; second += 1) {
        for (let row = 0; row < rows; row += 1) {
          const change = (column: number): number => at(changed, column * rows + row) - at(start, column * rows + row);
          sum += change(first) * at(hessian, first * columns + second) * change(second);
        }
      }
    }
    return sum;
  };
  const squared = errors.reduce((sum, error) => sum + error * error, 0);
  assert.ok(Math.abs(squared - cost(values)) < 1e-4 * squared);
  assert.ok(cost(values) < 0.9 * cost(rounded), `${cost(values)} against ${cost(rounded)}`);
});

test("with an asymmetry a block is the kernel's, and blocks hand on what has been fixed", async () => {
  const asymmetry = new Float32Array(columns * columns);
  for (let row = 0; row < columns; row += 1) {
    for (let column = row + 1; column < columns; column += 1) asymmetry[row * columns + column] = (next() - 0.5) / 10;
  }
  const walk = async (blockSize: number): Promise<Float32Array> => {
    const values = start.slice();
    await walkColumns(plainBlas, { weights: weightsOf(values), upper, asymmetry, blockSize }, (block) => {
      block.fix(0, block.columns, { grid });
    });
    return values;
  };
  const whole = createReferenceKernel(columns, rows, { asymmetric: true });
  whole.weights.set(start);
  whole.upper.set(upper);
  whole.asymmetry?.set(asymmetry);
  whole.fix(0, columns, { grid });
  assert.equal(await walk(columns), whole.weights);
  // in blocks of one column, plainly: fix, then w[k] -= e·U[j, k] - value·P[j, k]
  const plain = Float64Array.from(start);
  for (let j = 0; j < columns; j += 1) {
    for (let row = 0; row < rows; row += 1) {
      const w = at(plain, j * rows + row);
      const value = (Math.min(Math.max(roundHalfEven(w / 0.1) + 4, 0), 7) - 4) * 0.1;
      const error = (w - value) / at(upper, j * (columns + 1));
      plain[j * rows + row] = value;
      for (let k = j + 1; k < columns; k += 1) {
        const moved = error * at(upper, j * columns + k) - value * at(asymmetry, j * columns + k);
        plain[k * rows + row] = at(plain, k * rows + row) - moved;
      }
    }
  }
  assert.ok(worst(await walk(1), Float32Array.from(plain)) < 1e-5);
});

test("settling column by column, and reading ahead, changes nothing", async () => {
  const { values } = await quantise(8);
  const stepwise = start.slice();
  const seen: number[] = [];
  await walkColumns(plainBlas, { weights: weightsOf(stepwise), upper, blockSize: 8 }, async (block) => {
    const ahead = await block.atBlockStart(block.first, Math.min(block.first + 12, columns));
    seen.push(ahead.length / rows);
    assert.equal(ahead.slice(0, block.columns * rows), block.weights.slice());
    for (let column = 0; column < block.columns; column += 1) block.fix(column, column + 1, { grid });
  });
  assert.equal(seen, [12, 12, 7]);
  assert.ok(worst(stepwise, values) < 1e-6);
});

test("columns read ahead carry every earlier block and nothing of the present one", async () => {
  const values = start.slice();
  const expected = createReferenceKernel(columns, rows);
  expected.weights.set(start);
  expected.upper.set(upper);
  await walkColumns(plainBlas, { weights: weightsOf(values), upper, blockSize: 8 }, async (block) => {
    block.fix(0, 3, { grid });
    const ahead = await block.atBlockStart(block.first, columns);
    assert.ok(worst(ahead, expected.weights.subarray(block.first * rows)) < 1e-6);
    block.fix(3, block.columns, { grid });
    expected.fix(block.first, block.first + block.columns, { grid });
  });
});

test("the diagonal handed out is U's", async () => {
  const diagonal: number[] = [];
  await walkColumns(plainBlas, { weights: weightsOf(start.slice()), upper, blockSize: 10 }, (block) => {
    diagonal.push(...block.diagonal);
    block.fix(0, block.columns, {});
  });
  assert.equal(
    diagonal,
    Array.from({ length: columns }, (_, column) => upper[column * (columns + 1)]),
  );
});

test("without a choice the weights stay as they are", async () => {
  const values = start.slice();
  const errors = await walkColumns(plainBlas, { weights: weightsOf(values), upper, blockSize: 8 }, (block) => {
    block.fix(0, block.columns, {});
  });
  assert.equal(values, start);
  assert.ok(errors.every((error) => error === 0));
});

for (const [what, visit] of [
  ["left unfixed", (fix: (from: number, to: number) => void) => fix(0, 3)],
  ["fixed out of order", (fix: (from: number, to: number) => void) => fix(1, 8)],
  ["fixed beyond the block", (fix: (from: number, to: number) => void) => fix(0, 9)],
] as const) {
  test(`columns ${what} are refused`, async () => {
    try {
      await walkColumns(plainBlas, { weights: weightsOf(start.slice()), upper, blockSize: 8 }, (block) =>
        visit((from, to) => block.fix(from, to, { grid })),
      );
      assert.unreachable();
    } catch (error) {
      assert.instance(error, InternalError);
    }
  });
}

test.run();
