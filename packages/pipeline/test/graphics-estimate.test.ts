import { test } from "uvu";
import * as assert from "uvu/assert";
import { findGraphics, graphicsNeed, withGraphics } from "../src/estimate/graphics.ts";
import type { CopiedRun } from "../src/estimate/graphics.ts";
import type { Rates } from "../src/estimate/rates.ts";
import type { Recipe } from "../src/recipe/recipe.ts";
import { decided } from "./fixtures/decided.ts";

const [hidden, inner, vocabulary] = [8, 2048, 100];

/** Blocks of two sites. */
const block = {
  name: "block",
  stream: "hidden",
  reads: [],
  sites: [
    { name: "up", width: hidden, weights: [{ tensor: "up", rows: inner }] },
    { name: "down", width: inner, weights: [{ tensor: "down", rows: hidden }] },
  ],
};

const given = { propagation: "true-sequential", shards: 1, capture: {}, factor: {}, compress: {} } as unknown as Recipe;
const recipe = decided(given, { denseStates: true });
const withoutDense = decided(given);

const run: CopiedRun = {
  recipe,
  model: {
    blocks: [block, block],
    streams: ["hidden"],
    hiddenSize: hidden,
    stateWidth: hidden,
    vocabularySize: vocabulary,
    contextLength: undefined,
    dtype: "f32",
    checkpoint: { list: () => [] },
  },
  sample: { segments: 10, length: 16, languages: 3 },
  heldOutTokens: 0,
  scoredModels: 2,
  workers: 1,
};

const weights = 2 * 2 * hidden * inner * 4;
const states = 160 * hidden * 4;
// the second of two squares of 1024 and the half of a rectangle: three of four quarters
const grams = 2 * (hidden ** 2 + 0.75 * inner ** 2) * 4;
const crosses = 2 * (hidden ** 2 + inner ** 2) * 4;

test("copies of a run are weights, states, Grams and cross-moments", () => {
  const beside = graphicsNeed(run);
  assert.is(beside.uploaded, 2 * weights + 2 * 2 * states);
  assert.is(beside.downloaded, 2 * 2 * states + 3 * (grams + crosses));
  const alone = graphicsNeed({ ...run, recipe: withoutDense });
  assert.is(alone.uploaded, weights + 2 * states);
  assert.is(alone.downloaded, 2 * states + 3 * grams);
  // before its layers are made, and through them
  const sequential = graphicsNeed({ ...run, recipe: { ...withoutDense, propagation: "sequential" } });
  assert.is(sequential.uploaded, 2 * weights + 2 * 2 * states);
  const pooled = graphicsNeed({ ...run, recipe: { ...recipe, capture: { grams: "pooled" } } });
  assert.is(pooled.downloaded, 2 * 2 * states + 3 * grams + crosses);
});

test("an evaluation copies each model's weights and head, again for states that are not in memory together", () => {
  const none = graphicsNeed(run);
  const scored = graphicsNeed({ ...run, heldOutTokens: 50 });
  const own = 50 * hidden * 4;
  const head = vocabulary * hidden * 4;
  assert.is(scored.uploaded - none.uploaded, 2 * (weights + head + 2 * own));
  assert.is(scored.downloaded - none.downloaded, 2 * own);
});

test("a walk for which there is no space there comes back while it waits", () => {
  const long = { ...run, sample: { ...run.sample, segments: 10_000 } };
  const tokens = 160_000;
  const waiting = 2 * Math.max(0, tokens * (hidden + inner) * 4 - 256 * 1024 ** 2);
  assert.ok(waiting > 0);
  const { uploaded, memory } = graphicsNeed(long);
  assert.is(uploaded, 2 * weights + 2 * 2 * tokens * hidden * 4 + 2 * waiting);
  assert.ok(memory > graphicsNeed(run).memory);
});

test("a solver without statistics runs no model but to evaluate it", () => {
  const alone = { ...run, recipe: { ...recipe, compress: { withoutFactors: true } } };
  assert.equal(graphicsNeed(alone), { uploaded: 0, downloaded: 0, memory: 0 });
});

test("passes and moments take the time of the processor in the proportion of a product, solvers the same time", async () => {
  const rates = {
    gemm: 1e11,
    sites: 4,
    end: 2,
    block: 6,
    head: 8,
    open: 1,
    weights: 1,
    gram: (width: number) => width,
    factor: (width: number) => width,
  } as unknown as Rates;
  const found = withGraphics(rates, { operations: 4e11, bytes: 1e9 });
  assert.equal([found.sites, found.end, found.block, found.head, found.gram(8)], [1, 0.5, 1.5, 2, 2]);
  assert.equal([found.gemm, found.factor(8), found.open], [4e11, 8, 1]);
  assert.is(await findGraphics("cpu", 1), undefined);
});

test.run();
