import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { createReferenceLogitSums } from "../src/statistics/logit-sums-reference.ts";
import { createLogitSums } from "../src/statistics/logit-sums.ts";
import type { LogitSums } from "../src/statistics/logit-sums.ts";
import { randomNumbers } from "./random-numbers.ts";

const size = 4096;
const makers = [createReferenceLogitSums, createLogitSums];

function fill(sums: LogitSums, width: number): void {
  const next = randomNumbers(3);
  for (const side of [sums.first, sums.second])
    for (let index = 0; index < size; index += 1) side[index] = width * (next() - 0.5);
}

test("SIMD gives the bits of the plain form, wherever a row begins and however long it is", () => {
  for (const width of [1, 12, 300]) {
    const [plain, simd] = makers.map((make) => make(size)) as [LogitSums, LogitSums];
    for (const sums of [plain, simd]) fill(sums, width);
    for (const [from, to] of [
      [0, size],
      [1, 2],
      [5, 8],
      [7, 1031],
      [size - 3, size],
      [size - 1, size],
    ] as const) {
      for (const side of ["first", "second"] as const) assert.is(simd.largest(side, from, to), plain.largest(side, from, to));
      const most = [plain.largest("first", from, to), plain.largest("second", from, to)] as const;
      assert.equal(simd.sums(from, to, ...most), plain.sums(from, to, ...most), `${from} to ${to}, width ${width}`);
    }
  }
});

test("sums are those of float64 to a rounding of each term", () => {
  for (const make of makers) {
    const sums = make(size);
    fill(sums, 30);
    const most = [sums.largest("first", 0, size), sums.largest("second", 0, size)] as const;
    const expected = { first: 0, second: 0, difference: 0, sizes: 0 };
    for (const [index, logit] of sums.first.entries()) {
      // differences of float32 numbers are rounded to float32
      const [x, y] = [Math.fround(logit - most[0]), Math.fround(at(sums.second, index) - most[1])];
      expected.first += Math.exp(x);
      expected.second += Math.exp(y);
      expected.difference += Math.exp(x) * (x - y);
      expected.sizes += Math.exp(x) * Math.abs(x - y);
    }
    const found = sums.sums(0, size, ...most);
    // of a sum: exp's polynomial, seven roundings in it, and those of 8 terms at a time, at most 2^-24 each and not all of one sign;
    // x / ln 2, rounded too, is large only where exp(x) is small. A difference times exp(x) has two roundings more
    for (const side of ["first", "second"] as const) assert.ok(Math.abs(found[side] / expected[side] - 1) < 2 ** -22);
    assert.ok(Math.abs(found.difference - expected.difference) < 2 ** -21 * expected.sizes);
  }
});

test("what is ruled out counts nothing with the first model and is infinitely far with the second; NaN stays in sums", () => {
  for (const make of makers) {
    const sums = make(8);
    sums.first[3] = -Infinity;
    const { first, difference } = sums.sums(0, 8, 0, 0);
    assert.ok(Math.abs(first - 7) < 1e-30 && Math.abs(difference) < 1e-30);
    sums.second[2] = -Infinity;
    assert.is(sums.sums(0, 8, 0, 0).difference, Infinity);
    sums.second[2] = NaN;
    assert.ok(Number.isNaN(sums.sums(0, 8, 0, 0).difference));
  }
});

test.run();
