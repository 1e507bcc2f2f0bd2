import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { SquareMatrix } from "./mantel.ts";
import { compareModels, compareSeeds, pairsOf } from "./model-agreement.ts";
import type { ModelMatrices } from "./model-agreement.ts";

/** Distances of points on a line; the diagonal says nothing. */
const distances = (points: readonly number[]): SquareMatrix =>
  points.map((a, i) => points.map((b, j) => (i === j ? NaN : Math.abs(a - b))));

const line = [0, 1, 3, 7, 12, 20, 33, 54];
const model = (name: string, architecture: string, points: readonly number[], again = points): ModelMatrices => ({
  model: name,
  architecture,
  seeds: [points, again].map((own) => new Map([["distance", distances(own)]])),
});

/** The same order of distances, stretched. */
const stretched: ModelMatrices = {
  ...model("stretched", "a", line),
  seeds: [0, 1].map(() => new Map([["distance", distances(line).map((row) => row.map((value) => value ** 2))]])),
};

test("every two models once, in their order", () => {
  assert.equal(pairsOf(["a", "b", "c"]), [
    ["a", "b"],
    ["a", "c"],
    ["b", "c"],
  ]);
  assert.equal(pairsOf(["alone"]), []);
});

test("models that order all pairs of languages alike agree wholly by rank, less along a line", () => {
  const agreement = at(compareModels([model("plain", "a", line), stretched]), 0);
  assert.is(`${agreement.first}, ${agreement.second}, ${agreement.measure}`, "plain, stretched, distance");
  assert.ok(Math.abs(agreement.spearman.mean - 1) < 1e-12);
  assert.ok(agreement.p < 0.005, `${agreement.p}`);
  assert.ok(agreement.pearson > 0.5 && agreement.pearson < 0.99, `${agreement.pearson}`);
});

test("a model that names the languages otherwise agrees with nobody", () => {
  const renamed = [20, 0, 54, 3, 1, 33, 7, 12];
  const agreements = compareModels([model("plain", "a", line), model("renamed", "b", renamed), stretched]);
  assert.equal(
    agreements.map(({ sameArchitecture }) => sameArchitecture),
    [false, true, false],
  );
  const [withRenamed, renamedStretched] = [at(agreements, 0), at(agreements, 2)];
  // rank correlation does not see the stretching
  assert.is(withRenamed.spearman.mean, renamedStretched.spearman.mean);
  assert.ok(withRenamed.p > 0.05, `${withRenamed.p}`);
});

test("agreement is given over seeds, with the p of the seed that shows it least", () => {
  const agreement = at(compareModels([model("plain", "a", line), model("other", "a", line, [20, 0, 54, 3, 1, 33, 7, 12])]), 0);
  assert.ok(Math.abs(agreement.spearman.high - 1) < 1e-12);
  assert.ok(agreement.spearman.low < 0.5, `${agreement.spearman.low}`);
  assert.ok(agreement.p > 0.05, `${agreement.p}`);
});

test("a model is compared with itself on another pool", () => {
  const agreements = compareSeeds([model("same", "a", line), model("other", "a", line, line.toReversed())]);
  const [same, other] = [at(agreements, 0), at(agreements, 1)];
  assert.ok(Math.abs(same.spearman.low - 1) < 1e-12);
  assert.ok(other.spearman.high < 0.9, `${other.spearman.high}`);
});

test.run();
