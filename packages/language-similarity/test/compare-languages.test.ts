import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { compareLanguages } from "../src/similarity/compare-languages.ts";

const close = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) < 1e-6, `${actual} is not ${expected}`);

test("compares each pair once, sorted by code", () => {
  const one = Float32Array.of(1, 0);
  const pairs = compareLanguages(
    new Map([
      ["te", one],
      ["en", one],
      ["mr", one],
    ]),
  );
  assert.equal(
    pairs.map(({ first, second }) => `${first}-${second}`),
    ["en-mr", "en-te", "mr-te"],
  );
});

test("right angle, half angle and identity", () => {
  const pairs = compareLanguages(
    new Map([
      ["a", Float32Array.of(3, 0)],
      ["b", Float32Array.of(0, 4)],
      ["c", Float32Array.of(2, 2)],
      ["d", Float32Array.of(6, 0)],
    ]),
  );
  const [ab, ac, ad] = [at(pairs, 0), at(pairs, 1), at(pairs, 2)];
  close(ab.cosine, 0);
  close(ab.degrees, 90);
  close(ab.euclidean, 5);
  close(ac.degrees, 45);
  close(ad.cosine, 1);
  close(ad.degrees, 0);
  close(ad.euclidean, 3);
});

test("a language that puts in nothing is like none", () => {
  const pair = at(
    compareLanguages(
      new Map([
        ["a", Float32Array.of(1, 1)],
        ["b", Float32Array.of(0, 0)],
      ]),
    ),
    0,
  );
  assert.is(pair.cosine, 0);
  assert.is(pair.degrees, 90);
});

test.run();
