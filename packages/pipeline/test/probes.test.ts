import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { memoryNeed } from "../src/estimate/memory.ts";
import { probedTokens } from "../src/estimate/rates.ts";
import { recipeFrom } from "../src/recipe/parse-recipe.ts";

test("a probe fills a batch with whole segments, and has fewer tokens where a pass would take long, but never very few", () => {
  const gemm = 100e9;
  assert.equal(probedTokens(512, 1e6, gemm), { batch: 4, length: 512 });
  assert.equal(probedTokens(4096, 1e6, gemm), { batch: 1, length: 4096 });
  // 750 tokens of 100 million multiply-adds take 1.5 s
  assert.equal(probedTokens(512, 1e8, gemm), { batch: 1, length: 512 });
  assert.equal(probedTokens(2048, 1e8, gemm), { batch: 1, length: 750 });
  assert.equal(probedTokens(2048, 1e10, gemm), { batch: 1, length: 128 });
  assert.equal(probedTokens(16, 1e10, gemm), { batch: 8, length: 16 });
});

test("an evaluation needs memory for the head of a model, and for that of the model before it where the pool keeps it", async () => {
  const root = await mkdtemp(join(tmpdir(), "mbs-memory-"));
  await writeTinyModel(root, {});
  const model = await openModel(root);
  try {
    const recipe = recipeFrom({ model: root, corpus: "c", compress: { solver: "wanda" }, output: "out" });
    const large = { ...model, steps: model.steps, kind: model.kind, hiddenSize: 1024, vocabularySize: 2 ** 18 } as typeof model;
    const head = 2 ** 30;
    const need = (tokens: readonly number[], kept: number) => memoryNeed(recipe, large, 0, tokens, kept);
    const [none, one, two] = [need([], head), need([64], head - 1), need([64], head)];
    assert.ok(none < 2 ** 20, String(none));
    assert.ok(one > 1.5 * head && one < 1.8 * head, String(one));
    assert.is(two - one, 1.5 * head);
  } finally {
    await model.close();
    await rm(root, { recursive: true });
  }
});

test.run();
