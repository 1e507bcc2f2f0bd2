import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createLogitComparison } from "../src/forward/logit-comparison.ts";
import type { LogitSource, TokenDistances } from "../src/forward/logit-comparison.ts";

/** States that are logits already, of a model that makes all of them at once. */
const source = (states: Matrix): LogitSource => ({ states, forward: { logits: (rows) => Promise.resolve(rows) } });

/** The same of one that makes those of some tokens. */
const partSource = (states: Matrix): LogitSource => ({
  states,
  forward: {
    logits: () => Promise.reject(new Error("all logits at once were asked for")),
    logitsByTokens: ({ rows, columns, values }) =>
      Promise.resolve(({ first, count }, into) => {
        const part = into ?? new Float32Array(rows * count);
        for (let row = 0; row < rows; row += 1) {
          part.set(values.subarray(row * columns + first, row * columns + first + count), row * count);
        }
        return Promise.resolve({ rows, columns: count, values: part });
      }),
  },
});

function compare(first: Matrix, second: Matrix, from = source): Promise<TokenDistances> {
  return createLogitComparison(first.columns).of(from(first), from(second));
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
 * Each term is rounded to some 2^-23 of itself. Where a few tokens have nearly all of a distribution, as in the last test here, the
 * roundings of their terms are what is left, 2.6e-7 at the most in 900 rows; of 70,000 alike far less. In the end a divergence is
 * rounded to float32.
 */
const [absolute, relative] = [5e-7, 1e-6];

test("divergence and agreement are those of whole distributions in float64, also of nearly equal ones", async () => {
  const first = matrix(17, () => noise(12));
  for (const size of [6, 0.1, 1e-3, 1e-6]) {
    const second = matrix(17, (index) => at(first.values, index) + noise(size));
    const expected = plainly(first, second);
    for (const from of [source, partSource]) {
      const found = await compare(first, second, from);
      for (const [row, { kl }] of expected.entries()) {
        assert.ok(Math.abs(at(found.kl, row) - kl) <= absolute + relative * kl, `${size}: ${at(found.kl, row)} ${kl}`);
      }
      assert.equal(
        [...found.agrees],
        expected.map(({ agrees }) => agrees),
      );
    }
  }
});

test("divergences of distributions of which a few tokens have nearly all are exact to the rounding of their terms", async () => {
  const first = matrix(20, (index) => noise(6) + (index % 13_999 === 5 ? 12 + noise(4) : 0));
  for (const size of [2, 0.1, 0.01]) {
    const second = matrix(20, (index) => at(first.values, index) + noise(size));
    const { kl } = await compare(first, second, partSource);
    for (const [row, expected] of plainly(first, second).entries())
      assert.ok(Math.abs(at(kl, row) - expected.kl) <= absolute + relative * expected.kl, `${at(kl, row)} ${expected.kl}`);
  }
});

test("a first model that rules out a whole tile is compared by the others", async () => {
  const ruledOut = matrix(2, (index) => (index % vocabulary < 2000 ? -Infinity : noise(12)));
  const second = matrix(2, () => noise(12));
  const bounded = { ...ruledOut, values: ruledOut.values.map((value) => Math.max(value, -1e4)) };
  const { kl } = await compare(ruledOut, second);
  for (const [row, expected] of plainly(bounded, second).entries())
    assert.ok(Math.abs(at(kl, row) - expected.kl) <= absolute + relative * expected.kl, `${at(kl, row)} ${expected.kl}`);
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

test("probabilities too small for float32 count as next to none", async () => {
  // one token of each tile of 1024 is likely, all others e^-150 of it
  const first = matrix(2, (index) => (index % 1024 === 7 ? 0 : -150));
  const second = matrix(2, (index) => (index % 1024 === 7 ? 0 : -160 - noise(10)));
  const [whole, parts] = [await compare(first, second), await compare(first, second, partSource)];
  for (const { kl } of [whole, parts]) for (const value of kl) assert.ok(value <= absolute, String(value));
});

test("a token that the first model rules out counts nothing, one that the second does is infinitely far", async () => {
  const [first, second] = [matrix(1, () => noise(12)), matrix(1, () => noise(12))];
  const ruledOut = { ...first, values: first.values.slice() };
  ruledOut.values[2000] = -Infinity;
  for (const from of [source, partSource]) {
    const bounded = { ...ruledOut, values: ruledOut.values.map((value) => Math.max(value, -1e4)) };
    const expected = at(plainly(bounded, second), 0).kl;
    const found = at((await compare(ruledOut, second, from)).kl, 0);
    assert.ok(Math.abs(found - expected) <= absolute + relative * expected, `${found} ${expected}`);
    assert.not(Number.isFinite(at((await compare(second, ruledOut, from)).kl, 0)));
  }
});

test("more rows than a tile has, of a model that makes all logits at once and one that makes parts", async () => {
  const columns = 1500;
  const random = (): Matrix => ({ rows: 1100, columns, values: Float32Array.from({ length: 1100 * columns }, () => noise(8)) });
  const [first, second] = [random(), random()];
  const expected = plainly(first, second);
  const comparison = createLogitComparison(columns);
  for (const [a, b] of [
    [partSource, partSource],
    [source, partSource],
    [partSource, source],
  ] as const) {
    const { kl } = await comparison.of(a(first), b(second));
    for (const [row, own] of expected.entries())
      assert.ok(Math.abs(at(kl, row) - own.kl) <= absolute + relative * own.kl, `${row}`);
  }
});

test("losses of the tokens that came are those of both distributions", async () => {
  const [first, second] = [matrix(5, () => noise(12)), matrix(5, () => noise(12))];
  const next = Int32Array.from({ length: 5 }, (_, row) => (row * 12_345) % vocabulary);
  const comparison = createLogitComparison(vocabulary);
  for (const from of [source, partSource]) await check(from);

  async function check(from: (states: Matrix) => LogitSource): Promise<void> {
    const { firstLosses, secondLosses } = await comparison.scored(from(first), from(second), next);
    for (const [row, token] of next.entries()) {
      for (const [found, of] of [
        [firstLosses, first],
        [secondLosses, second],
      ] as const) {
        // a logarithm of at most 2^5 in float32, of a sum of 70,000 terms
        assert.ok(Math.abs(at(found, row) + at(distribution(of, row).logs, token)) < 1e-5);
      }
    }
  }
});

test.run();
