import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { MixtureProgram } from "../src/merges/mixture-program.ts";
import type { ProgramRow } from "../src/merges/mixture-program.ts";

const row = (step: number, pair: number, ...coefficients: number[]): ProgramRow => ({
  step,
  pair,
  coefficients: Float64Array.from(coefficients),
});
const close = (found: Iterable<number>, ...wanted: number[]): void => {
  for (const [index, value] of [...found].entries())
    assert.ok(Math.abs(value - at(wanted, index)) < 1e-6, `${value}, not ${wanted[index]}`);
};

test("two opposite inequalities leave one mixture, and rows are added to a solved program", async () => {
  const program = await MixtureProgram.create(2);
  try {
    program.add([row(0, 0, 4, -3)], () => 1);
    const { shares } = program.solve();
    assert.ok(4 * at(shares, 0) - 3 * at(shares, 1) > -1e-6);
    program.add([row(1, 1, -4, 3)], () => 1);
    const solution = program.solve();
    close(solution.shares, 3 / 7, 4 / 7);
    close([solution.objective], 0);
  } finally {
    program.close();
  }
});

test("a contradiction is paid where it costs least", async () => {
  // a ≥ 0.6 against three steps that want a ≤ 0.4, all for the same pair: an allowance of the pair pays for them at once.
  const rows = [row(0, 0, 4, -6), row(1, 1, -6, 4), row(2, 1, -6, 4), row(3, 1, -6, 4)];
  const solve = async (weight: (step: number) => number) => {
    const program = await MixtureProgram.create(2);
    try {
      program.add(rows.slice(0, 2), weight);
      program.add(rows.slice(2), weight);
      return { ...program.solve(), binding: program.binding() };
    } finally {
      program.close();
    }
  };
  const even = await solve(() => 1);
  close([even.objective], 2);
  // Step 0 at a twentieth of the price is what is paid for.
  const cheap = await solve((step) => (step === 0 ? 0.05 : 1));
  close(cheap.shares, 0.4, 0.6);
  close([cheap.objective, cheap.steps.get(0) ?? NaN, cheap.pairs.get(1) ?? NaN], 0.1, 2, 0);
  assert.is(cheap.binding.length, 4);
  assert.is(cheap.binding[0], true);
});

test("a language that every inequality speaks against gets nothing", async () => {
  const program = await MixtureProgram.create(3);
  try {
    program.add([row(0, 0, 1, -1, -5), row(1, 1, -1, 1, -5), row(2, 2, 2, 2, -9)], () => 1);
    const { shares } = program.solve();
    close(shares, 0.5, 0.5, 0);
    assert.is(shares[2], 0);
  } finally {
    program.close();
  }
});

test.run();
