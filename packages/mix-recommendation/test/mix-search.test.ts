import { weightedDamage } from "@mbs/artifacts";
import type { LanguageMix } from "@mbs/contracts";
import { at, formatLanguageMix } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { minimax, target, worstDamage } from "../src/goals.ts";
import type { Trial } from "../src/goals.ts";
import { searchMix } from "../src/mix-search.ts";
import { shiftMix, tidyMix } from "../src/mix-weights.ts";

type Point = readonly number[];

const mixOf = (weights: Readonly<Record<string, number>>): LanguageMix => tidyMix(new Map(Object.entries(weights)));

/**
 * A solver that is exact: damage is the squared distance from a point of each language, so that the answer to a mix is the
 * weighted mean of the points, and minimax the smallest circle around them, which is known.
 */
function exactSolver(points: Readonly<Record<string, Point>>) {
  const tried: string[] = [];
  const attempt = (mix: LanguageMix, round: number, name = `round ${round}`): Promise<Trial> => {
    tried.push(formatLanguageMix(mix));
    const sum = [...mix.values()].reduce((total, weight) => total + weight, 0);
    const centre = [0, 1].map((axis) =>
      Object.entries(points).reduce((total, [language, point]) => total + ((mix.get(language) ?? 0) / sum) * at(point, axis), 0),
    );
    const distance = (point: Point): number => point.reduce((total, value, axis) => total + (value - at(centre, axis)) ** 2, 0);
    const damages = new Map(Object.entries(points).map(([language, point]) => [language, distance(point)]));
    return Promise.resolve({ name, round, mix, damages });
  };
  return { attempt, tried };
}

const even = (points: object): LanguageMix => mixOf(Object.fromEntries(Object.keys(points).map((language) => [language, 1])));

for (const { name, points, squaredRadius } of [
  { name: "two points", points: { a: [0, 0], b: [10, 0] }, squaredRadius: 25 },
  { name: "a right triangle", points: { a: [0, 0], b: [6, 0], c: [0, 8] }, squaredRadius: 25 },
  { name: "a square and its middle", points: { a: [0, 0], b: [2, 0], c: [0, 2], d: [2, 2], e: [1, 1] }, squaredRadius: 2 },
  { name: "a far language", points: { a: [0, 0], b: [1, 0], c: [0, 1], d: [100, 0] }, squaredRadius: 2500.25 },
]) {
  test(`minimax finds the smallest circle: ${name}`, async () => {
    const { attempt } = exactSolver(points);
    const start = Object.keys(points).map((language, index) => [language, 2 ** -index] as const);
    const candidates = [await attempt(mixOf(Object.fromEntries(start)), 0, "skewed"), await attempt(even(points), 0, "equal")];
    const { best, trials, ended } = await searchMix(candidates, minimax, 60, attempt);
    const worst = worstDamage(best.damages);
    assert.ok(worst >= squaredRadius * (1 - 1e-3), `${worst} is below what any point reaches`);
    assert.ok(worst <= squaredRadius * 1.012, `${worst} against ${squaredRadius}, ${ended}`);
    for (const trial of trials) assert.ok(worst <= worstDamage(trial.damages), trial.name);
    if (ended === "converged") assert.ok(weightedDamage(best.damages, best.mix) >= 0.99 * worst);
  });
}

test("two languages that mirror each other end at equal weights, wherever the search starts", async () => {
  const points = { a: [-3, 0], b: [3, 0] };
  for (const start of [
    { a: 9, b: 1 },
    { a: 1, b: 9 },
    { a: 1, b: 1 },
  ]) {
    const { attempt, tried } = exactSolver(points);
    const { best, ended } = await searchMix([await attempt(mixOf(start), 0)], minimax, 30, attempt);
    assert.is(ended, "converged");
    const [a, b] = [best.mix.get("a") ?? 0, best.mix.get("b") ?? 0];
    assert.ok(Math.abs(a - b) < 0.006, `${a} against ${b}`);
    if (start.a === start.b) assert.is(tried.length, 1, "nothing to search");
  }
});

test("rounds bound the work, nothing is tried twice, every mix lies on the simplex", async () => {
  const points = { a: [0, 0], b: [6, 0], c: [0, 8], d: [1, 1] };
  for (const rounds of [0, 1, 5]) {
    const { attempt, tried } = exactSolver(points);
    const candidates = [await attempt(even(points), 0)];
    const { trials, ended, best } = await searchMix(candidates, minimax, rounds, attempt);
    assert.is(trials.length, rounds + 1);
    assert.is(new Set(tried).size, tried.length);
    assert.is(ended, "rounds");
    if (rounds === 0) assert.is(best, candidates[0]);
    for (const { mix } of trials) {
      const weights = [...mix.values()];
      assert.ok(weights.every((weight) => weight > 0));
      assert.ok(Math.abs(weights.reduce((sum, weight) => sum + weight, 0) - 1) < 2e-3, formatLanguageMix(mix));
    }
  }
});

test("the same search gives the same mixes", async () => {
  const points = { a: [0, 0], b: [6, 0], c: [0, 8], d: [5, 5] };
  const [first, second] = [exactSolver(points), exactSolver(points)];
  for (const { attempt } of [first, second]) await searchMix([await attempt(even(points), 0)], minimax, 12, attempt);
  assert.equal(first.tried, second.tried);
});

test("target: with an exact solver the importances themselves stay the best mix", async () => {
  const importance = new Map([
    ["a", 1],
    ["b", 4],
    ["c", 0],
  ]);
  const points = { a: [0, 0], b: [6, 0], c: [0, 8] };
  const { attempt } = exactSolver(points);
  const candidates = [await attempt(even(points), 0, "equal"), await attempt(mixOf({ a: 1, b: 4, c: 0 }), 0, "importance")];
  const { best, ended } = await searchMix(candidates, target(importance), 20, attempt);
  assert.is(best.name, "importance");
  assert.is(ended, "step");
  // (1·4.8² + 4·1.2²) / 5
  assert.ok(Math.abs(target(importance).value(best.damages) - 5.76) < 1e-9);
});

test("target: what a poor solver leaves is found by sharper or flatter importances", async () => {
  const importance = new Map([
    ["a", 1],
    ["b", 4],
  ]);
  // It takes the square root of each weight: the importances have to be squared.
  const { attempt } = exactSolver({ a: [0, 0], b: [6, 0] });
  const poor = async (mix: LanguageMix, round: number): Promise<Trial> => {
    const answer = await attempt(new Map([...mix].map(([language, weight]) => [language, Math.sqrt(weight)])), round);
    return { ...answer, mix };
  };
  const { best } = await searchMix([await poor(mixOf({ a: 1, b: 4 }), 0)], target(importance), 20, poor);
  assert.ok(Math.abs((best.mix.get("b") ?? 0) - 16 / 17) < 0.02, formatLanguageMix(best.mix));
});

test("languages that all count the same leave target nothing to search along", () => {
  const { directions } = target(
    new Map([
      ["a", 2],
      ["b", 2],
    ]),
  );
  const trial = { name: "", round: 0, mix: mixOf({ a: 1, b: 1 }), damages: new Map([["a", 1]]) };
  assert.equal(directions(trial), []);
});

test("a step multiplies weights, brings back what was at zero, and rounds to three digits", () => {
  const moved = shiftMix(mixOf({ a: 0.5, b: 0.5, c: 0 }), new Map([["a", Math.log(3)]]), 1);
  assert.equal(
    [...moved],
    [
      ["a", 0.75],
      ["b", 0.25],
      ["c", 0.0001],
    ],
  );
  const gone = shiftMix(mixOf({ a: 0.5, b: 0.5 }), new Map([["a", -50]]), 1);
  assert.equal(
    [...gone],
    [
      ["a", 0.0001],
      ["b", 1],
    ],
  );
});

test.run();
