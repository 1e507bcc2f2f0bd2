import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { collect, openArtifact, readScores, unpackFiles } from "@mbs/artifacts";
import { summarise } from "@mbs/evaluation";
import type { Estimate } from "@mbs/pipeline";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { present } from "../fixtures/present.ts";
import { runMbs } from "../fixtures/run-mbs.ts";
import { runStage } from "../fixtures/stage-runs.ts";

const datasets = fileURLToPath(new URL("../../../../datasets/", import.meta.url));
const safetensors = join(datasets, "controlled-bloom-small");
const root = await mkdtemp(join(tmpdir(), "mbs-onnx-recipe-"));
test.after(() => rm(root, { recursive: true }));
const graph = join(root, "graph");

test.before(async () => {
  const files = await runStage("assemble", { layers: [] }, { model: safetensors, format: "onnx" });
  await unpackFiles(files, graph, { force: false });
});

async function recipeOf(name: string, model: string, propagation: string): Promise<string> {
  const path = join(root, `${name}.yaml`);
  const texts = join(datasets, "controlled-texts");
  await writeFile(
    path,
    `model: ${model}
corpus: ${texts}/calibration.yaml
sample: { mix: "en=12,zh-Hans=8,mr=4", length: 64, seed: 0, distribution: ${safetensors} }
propagation: ${propagation}
compress: { solver: gptq, bits: 4, group-size: 64 }
evaluate: { corpus: ${texts}/heldout.yaml, windows: 1, length: 64, shares: ${safetensors} }
output: ${join(root, name)}
`,
  );
  return path;
}

interface Bits {
  readonly dense: number;
  readonly compressed: number;
}

/** Bits a byte of both models by language, of a recipe's run. */
async function bitsOf(recipe: string): Promise<ReadonlyMap<string, Bits>> {
  const scores = await openArtifact(join(recipe.replace(/\.yaml$/, ""), "scores.arrow"));
  const results = summarise(await collect(readScores(scores)));
  const bits = (language: string, model: string): number => {
    const found = results.find((result) => result.language === language && result.model === model);
    return present(found, `score of ${model} in ${language}`).bitsPerByte;
  };
  const languages = [...new Set(results.map(({ language }) => language))];
  return new Map(
    languages.map((language) => [language, { dense: bits(language, "dense"), compressed: bits(language, "compressed") }]),
  );
}

const meanOfCompressed = (bits: ReadonlyMap<string, Bits>): number =>
  [...bits.values()].reduce((sum, { compressed }) => sum + compressed / bits.size, 0);

for (const propagation of ["dense", "true-sequential"]) {
  test(`an ONNX model runs through a ${propagation} recipe as its safetensors twin does`, async () => {
    const recipes = [
      await recipeOf(`graph-${propagation}`, graph, propagation),
      await recipeOf(`twin-${propagation}`, safetensors, propagation),
    ] as const;
    const estimated = await runMbs(["estimate", recipes[0], "--json", "--threads", "1"]);
    assert.is(estimated.code, 0, estimated.stderr);
    const { calibrationTokens, seconds, memory } = JSON.parse(estimated.stdout.toString()) as Estimate;
    assert.is(calibrationTokens, 24 * 64);
    assert.ok(seconds > 0 && memory > 0);
    for (const recipe of recipes) {
      const ended = await runMbs(["run", recipe, "--quiet", "--threads", "1"]);
      assert.is(ended.code, 0, ended.stderr);
    }
    const [own, twin] = [await bitsOf(recipes[0]), await bitsOf(recipes[1])];
    assert.is(own.size, 16);
    for (const [language, { dense, compressed }] of own) {
      const { dense: twinDense } = present(twin.get(language), language);
      // float32 on both sides: 1e-6 of some 2 bits a byte
      assert.ok(Math.abs(dense - twinDense) < 1e-4, `${language}: ${dense} and ${twinDense}`);
      assert.ok(compressed !== dense, language);
    }
    // The file holds float32, so its scales are not rounded to float16 as the twin's are, and neither codes nor losses are the
    // same: two roundings of one model, as good as each other. Last bits alone moved perplexity by 1e-3.
    const [ownMean, twinMean] = [meanOfCompressed(own), meanOfCompressed(twin)];
    assert.ok(Math.abs(ownMean / twinMean - 1) < 0.01, `${ownMean} and ${twinMean}`);
  });
}

test.run();
