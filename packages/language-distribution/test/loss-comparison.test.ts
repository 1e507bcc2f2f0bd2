import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { compareWithLosses } from "../src/losses/loss-comparison.ts";

const close = (found: number, wanted: number, tolerance = 1e-9): void =>
  assert.ok(Math.abs(found - wanted) < tolerance, `${found}, not ${wanted}`);

const names = ["a", "b", "c", "d", "e", "f", "g"];
const shares = new Map(names.map((name, index) => [name, 0.5 ** index]));
const entropies = new Map(names.map((name, index) => [name, 1 + (index % 3)]));
/** Losses on the line ln share = -3 · ln(loss / entropy). */
const losses = new Map(names.map((name) => [name, (entropies.get(name) ?? 1) * (shares.get(name) ?? 1) ** (-1 / 3)]));

test("losses on a line predict every share from the others", () => {
  const found = compareWithLosses(shares, losses, entropies);
  assert.is(found?.languages.length, 7);
  for (const { share, predicted, factor, relativeLoss } of found?.languages ?? []) {
    close(predicted, share);
    close(factor, 1);
    close(Math.log(share), -3 * relativeLoss);
  }
  close(found?.typicalFactor ?? NaN, 1);
  close(found?.correlation.value ?? NaN, -1);
  assert.is(found?.verdict, "fits");
  // Shares fall by halves around a middle: |k - mean of the others| · ln 2 with k = -3 … 3 is 7/6 · |k| · ln 2.
  close(found?.typicalFactorOfMean ?? NaN, Math.exp(((7 / 6) * 12 * Math.LN2) / 7));
});

test("one share that is off stands out, by its factor", () => {
  const moved = new Map(shares).set("d", 8 * (shares.get("d") ?? NaN));
  const found = compareWithLosses(moved, losses, entropies);
  const doubtful = found?.languages.filter((fit) => fit.doubtful) ?? [];
  assert.equal(
    doubtful.map(({ language }) => language),
    ["d"],
  );
  close(at(doubtful, 0).factor, 8);
});

test("shares the other way round contradict, and are not predicted by a rising line", () => {
  const reversed = new Map(names.map((name, index) => [name, 0.5 ** (6 - index)]));
  const found = compareWithLosses(reversed, losses, entropies);
  assert.is(found?.verdict, "contradicts");
  close(found?.typicalFactor ?? NaN, found?.typicalFactorOfMean ?? NaN);
});

test("losses that do not hang on shares are unclear", () => {
  const loose = new Map(
    names.map((name, index) => [name, (entropies.get(name) ?? 1) * at([1, 3, 2, 2.5, 1.5, 2.2, 1.2], index)]),
  );
  assert.is(compareWithLosses(shares, loose, entropies)?.verdict, "unclear");
});

test("languages without share, loss or entropy are left out; with fewer than five there is nothing to say", () => {
  const partial = new Map([...shares].map(([name, share]) => [name, name === "a" ? 0 : share]));
  assert.is(compareWithLosses(partial, losses, entropies)?.languages.length, 6);
  const few = new Map([...losses].slice(0, 4));
  assert.is(compareWithLosses(shares, few, entropies), undefined);
});

test.run();
