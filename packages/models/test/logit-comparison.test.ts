import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createLogitComparison } from "../src/forward/logit-comparison.ts";
import type { TokenDistances } from "../src/forward/logit-comparison.ts";

/** States that are logits already. */
const source = (states: Matrix) => ({ states, forward: { logits: (rows: Matrix) => Promise.resolve(rows) } });

async function compare(first: Matrix, second: Matrix): Promise<TokenDistances> {
  const comparison = createLogitComparison(first.columns, 1);
  try {
    return await comparison.of(source(first), source(second));
  } finally {
    await comparison.close();
  }
}

/** Logarithms of the probabilities of a row, and its largest logit, in float64. */
function distribution({ columns, values }: Matrix, row: number): { logs: Float64Array; top: number } {
  const logits = Float64Array.from(values.subarray(row * columns, (row + 1) * columns));
  const most = logits.reduce((best, value) => Math.max(best, value), -Infinity);
  const sum = logits.reduce((all, value) => all + Math.exp(value - most), 0);
  return { logs: logits.map((value) => value - most - Math.log(sum)), top: logits.indexOf(most) };
}

/** KL(first ‖ second) and whether the largest logits agree, row by row, plainly in float64. */
function plainly(first: Matrix, second: Matrix): readonly { kl: number; agrees: number }[] {
  return Array.from({ length: first.rows }, (_, row) => {
    const [p, q] = [distribution(first, row), distribution(second, row)];
    const kl = p.logs.reduce((sum, log, token) => sum + Math.exp(log) * (log - at(q.logs, token)), 0);
    return { kl, agrees: Number(p.top === q.top) };
  });
}

const vocabulary = 70_000;
const generator = xoroshiro128plus(3);
const noise = (size: number): number => size * (uniformFloat64(generator) - 0.5);
const matrix = (rows: number, valueOf: (index: number) => number): Matrix => ({
  rows,
  columns: vocabulary,
  values: Float32Array.from({ length: rows * vocabulary }, (_, index) => valueOf(index)),
});

/**
 * Logarithms of probabilities up to 2^4 in size are rounded to 2^-21, and weighted with probabilities that sum to 1. Sums of
 * 70,000 terms without a negative one are rounded by √70,000 · 2^-24 = 1.6e-5 of their own size as a rule.
 */
const [absolute, relative] = [1e-6, 1e-4];

test("divergence and agreement are those of whole distributions in float64, also of nearly equal ones", async () => {
  // more rows than are compared at a time
  const first = matrix(17, () => noise(12));
  for (const size of [6, 0.1, 1e-3, 1e-6]) {
    const second = matrix(17, (index) => at(first.values, index) + noise(size));
    const [found, expected] = [await compare(first, second), plainly(first, second)];
    for (const [row, { kl }] of expected.entries()) {
      assert.ok(Math.abs(at(found.kl, row) - kl) <= absolute + relative * kl, `${size}: ${at(found.kl, row)} ${kl}`);
    }
    assert.equal(
      [...found.agrees],
      expected.map(({ agrees }) => agrees),
    );
  }
});

test("equal logits have no distance at all, and a constant above others next to none", async () => {
  const first = matrix(3, () => noise(12));
  const equal = await compare(first, first);
  assert.equal(
    [[...equal.kl], [...equal.agrees]],
    [
      [0, 0, 0],
      [1, 1, 1],
    ],
  );
  const shifted = await compare(
    first,
    matrix(3, (index) => at(first.values, index) + 3),
  );
  for (const kl of shifted.kl) assert.ok(kl >= 0 && kl <= absolute, String(kl));
});

test("the first of equally likely tokens is the most likely one, and NaN stays in its row", async () => {
  const first = matrix(3, (index) => ([5, 9].includes(index % vocabulary) ? 8 : 0));
  const second = matrix(3, (index) => {
    if (index === vocabulary + 7) return NaN;
    return index % vocabulary === (index < vocabulary ? 5 : 9) ? 8 : 0;
  });
  const { kl, agrees } = await compare(first, second);
  assert.equal([at(agrees, 0), at(agrees, 2)], [1, 0]);
  assert.equal([...kl].map(Number.isFinite), [true, false, true]);
});

test("losses of the tokens that came are those of both distributions", async () => {
  const [first, second] = [matrix(5, () => noise(12)), matrix(5, () => noise(12))];
  const next = Int32Array.from({ length: 5 }, (_, row) => (row * 12_345) % vocabulary);
  const comparison = createLogitComparison(vocabulary, 1);
  try {
    const { firstLosses, secondLosses } = await comparison.scored(source(first), source(second), next);
    for (const [row, token] of next.entries()) {
      for (const [found, of] of [
        [firstLosses, first],
        [secondLosses, second],
      ] as const) {
        // a logarithm of at most 2^5 in float32, of a sum of 70,000 terms
        assert.ok(Math.abs(at(found, row) + at(distribution(of, row).logs, token)) < 1e-5);
      }
    }
  } finally {
    await comparison.close();
  }
});

test.run();
