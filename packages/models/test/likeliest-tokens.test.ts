import { fileURLToPath } from "node:url";
import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { likeliestTokens, openModel } from "../src/index.ts";

const model = await openModel(fileURLToPath(new URL("../../../datasets/controlled-llama", import.meta.url)));
const { hiddenSize, vocabularySize } = model;

const statesOf = (rows: number): Matrix => ({
  rows,
  columns: hiddenSize,
  values: Float32Array.from({ length: rows * hiddenSize }, (_, index) => Math.sin(index * 1.7)),
});

/** A forward pass whose logits are given. @param logits [rows, 6] */
const given = (logits: readonly (readonly number[])[]) => ({
  logits: () => Promise.resolve({ rows: logits.length, columns: 6, values: Float32Array.from(logits.flat()) }),
});

/**
 * Products add in another order by their shape: logits of up to 20, of sums of some hundred terms, differ by √100 · 2⁻²⁴ · 20 = 1.2e-5.
 */
const rounding = 1e-4;

test("tokens are those of the largest logits, for one row, few and many", async () => {
  const forward = await model.forward({ threads: 1 });
  for (const rows of [1, 5, 100]) {
    const states = statesOf(rows);
    const { values } = await forward.logits(states);
    const found = await likeliestTokens(forward, states, vocabularySize);
    assert.is(found.length, rows);
    for (const [row, { token, logit }] of found.entries()) {
      const own = values.subarray(row * vocabularySize, (row + 1) * vocabularySize);
      const largest = own.reduce((most, value) => Math.max(most, value), -Infinity);
      assert.ok(Math.abs(logit - largest) < rounding, `row ${row} of ${rows}`);
      assert.ok(Math.abs(at(own, token) - largest) < rounding, `row ${row} of ${rows}`);
    }
  }
  await forward.close();
});

test("turned logits are the others", async () => {
  const forward = await model.forward({ threads: 1 });
  for (const rows of [1, 7]) {
    const plain = await forward.logitsByTokens?.(statesOf(rows));
    const turned = await forward.logitsByTokens?.(statesOf(rows), { turned: true });
    if (plain === undefined || turned === undefined) throw new Error("no logits by tokens");
    const [one, other] = [await plain({ first: 3, count: 10 }), await turned({ first: 3, count: 10 })];
    assert.equal([one.rows, one.columns, other.rows, other.columns], [rows, 10, 10, rows]);
    for (let row = 0; row < rows; row++) {
      for (let token = 0; token < 10; token++) {
        const difference = at(one.values, row * 10 + token) - at(other.values, token * rows + row);
        assert.ok(Math.abs(difference) < rounding);
      }
    }
  }
  await forward.close();
});

test("of equal logits the first counts, and a logit that is not finite is reported", async () => {
  const states = { rows: 4, columns: 1, values: new Float32Array(4) };
  const logits = [
    [1, 3, 2, 3, 0, 0],
    [-Infinity, -5, -Infinity, -6, -7, -8],
    [0, NaN, 9, 1, 1, 1],
    [0, 1, Infinity, 4, 4, 4],
  ];
  const found = await likeliestTokens(given(logits), states, 6);
  assert.equal(
    found.map(({ token }) => token),
    [1, 1, 1, 2],
  );
  assert.equal(
    found.map(({ logit }) => logit < Infinity),
    [true, true, false, false],
  );
});

test("of a vocabulary in several tiles, tokens are counted from its beginning, and the first of equals counts", async () => {
  const [rows, vocabulary] = [4, 10_000];
  const logitOf = (token: number, row: number): number => {
    if (row === 1 && token === 5000) return NaN;
    if (row === 2) return token === 100 || token === 9000 ? 7 : 0;
    if (row === 3) return token === vocabulary - 1 ? 2 : -1;
    return token === 9000 ? 3 : Math.sin(token);
  };
  const tiled = {
    logits: () => Promise.reject(new Error("not asked for")),
    logitsByTokens: () =>
      Promise.resolve(({ first, count }: { first: number; count: number }, into?: Float32Array) => {
        const values = into ?? new Float32Array(rows * count);
        for (let place = 0; place < values.length; place++) {
          values[place] = logitOf(first + Math.floor(place / rows), place % rows);
        }
        return Promise.resolve({ rows: count, columns: rows, values });
      }),
  };
  const found = await likeliestTokens(tiled, { rows, columns: 1, values: new Float32Array(rows) }, vocabulary);
  assert.equal(
    found.map(({ token, logit }) => [token, Number.isNaN(logit) ? "NaN" : logit]),
    [
      [9000, 3],
      [5000, "NaN"],
      [100, 7],
      [9999, 2],
    ],
  );
});

test.after(() => model.close());

test.run();
