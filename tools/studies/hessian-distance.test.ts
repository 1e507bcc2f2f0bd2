import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { logSpectralDistance, logSpectrum, mixGrams, relativeFrobenius } from "./hessian-distance.ts";

const close = (actual: number, expected: number, tolerance = 1e-9): void =>
  assert.ok(Math.abs(actual - expected) < tolerance, `${actual} is not ${expected}`);

test("Frobenius' norm counts values off the diagonal twice", () => {
  const first = { width: 2, values: Float64Array.of(1, 1, 1) };
  const second = { width: 2, values: Float64Array.of(1, 0, 1) };
  close(relativeFrobenius(first, second), Math.sqrt(2 / 2));
});

test("a mix of Grams weighs them, on any scale", () => {
  const grams = new Map([
    ["a", { width: 1, values: Float64Array.of(1) }],
    ["b", { width: 1, values: Float64Array.of(4) }],
  ]);
  const weights = new Map([
    ["a", 2],
    ["b", 1],
  ]);
  close(at(mixGrams(grams, weights).values, 0), 2);
});

test("the logarithmic spectrum of a matrix with known eigenvalues", () => {
  // [[2, 1], [1, 2]] has 1 and 3
  const spectrum = logSpectrum({ width: 2, values: Float64Array.of(2, 1, 2) }, 0);
  close(at(spectrum, 0), 0, 1e-6);
  close(at(spectrum, 1), Math.log(3), 1e-6);
  close(logSpectralDistance([0, 1], [0, 3]), Math.sqrt(2));
});

test.run();
