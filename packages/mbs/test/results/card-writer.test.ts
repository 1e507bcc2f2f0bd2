import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openArtifact, collect, readScores } from "@mbs/artifacts";
import { BadDataError, UsageError, at } from "@mbs/contracts";
import { scoresReport } from "@mbs/evaluation";
import { writeTinyModel } from "@mbs/models/testing";
import { recipeFrom, run } from "@mbs/pipeline";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { writeCard } from "../../src/results/card-writer.ts";
import { loadStages } from "../../src/stages.ts";
import { writeTexts } from "../fixtures/texts.ts";

const root = await mkdtemp(join(tmpdir(), "mbs-describe-"));
test.after(() => rm(root, { recursive: true }));
await writeTinyModel(join(root, "model"), { contextLength: 32, dtype: "bf16", hiddenSize: 64 });
await writeTexts(join(root, "texts"));

const line = (values: readonly number[]): string => values.map((value) => value.toFixed(2)).join(" to ");

const runRecipe = async (name: string, more: object) => {
  const { folder } = await run(
    recipeFrom({
      model: join(root, "model"),
      corpus: join(root, "texts"),
      sample: { mix: "equal", segments: 6, length: 32 },
      propagation: "dense",
      compress: { solver: "gptq", bits: 4, "group-size": 32 },
      output: join(root, name),
      ...more,
    }),
    {
      stages: await loadStages(),
      threads: 1,
      signal: new AbortController().signal,
      describe: ({ model, scores, recipe }) => writeCard(model, { scores: scores === undefined ? [] : [scores], recipe }),
    },
  );
  return { folder, card: await readFile(join(folder.model, "README.md"), "utf8").catch(() => undefined) };
};

test("the card of a run has each language before and after with intervals, the mix, the recipe and its hashes", async () => {
  const evaluate = { corpus: join(root, "texts"), windows: 6 };
  const { folder, card = "" } = await runRecipe("scored", { assemble: { format: "gptq", "base-model": "org/tiny" }, evaluate });
  const { results, pairs } = scoresReport(await collect(readScores(await openArtifact(folder.scores))));
  const languages = [...new Set(results.map(({ language }) => language))];
  assert.ok(languages.length >= 2);
  for (const language of languages) {
    const [dense, small] = ["dense", "compressed"].map((model) =>
      results.find((result) => result.model === model && result.language === language),
    );
    const pair = pairs.find((found) => found.language === language);
    assert.ok(dense !== undefined && small !== undefined && pair !== undefined);
    const row = card.split("\n").find((text) => text.startsWith(`| ${language} | ${dense.perplexity.toFixed(2)} `)) ?? "";
    assert.match(row, `(${line(dense.interval)}) | ${small.perplexity.toFixed(2)} (${line(small.interval)}) | `);
    assert.match(row, `${(pair.rise * 100).toFixed(2)}% (`);
  }
  assert.match(card, "| mean of languages | ");
  assert.match(card, "| gptq | group-aware:32 | ");
  assert.match(card, /```yaml\n[\s\S]*\n {2}order: group-aware:32\n/);
  const { results: all, averages } = scoresReport(await collect(readScores(await openArtifact(folder.scores))));
  const [{ worst }, { worstRise }] = [at(averages, 0), at(averages, 1)];
  const risen = all.find(({ model, language }) => model === "compressed" && language === worstRise?.language);
  assert.match(card, `| worst language | ${worst.language} ${worst.perplexity.toFixed(2)} (`);
  assert.match(card, `) | ${worstRise?.language} ${risen?.perplexity.toFixed(2)} (`);
  const metadata = parse(at(card.split("---\n"), 1)) as {
    base_model: string;
    "model-index": { results: { dataset: { config: string }; metrics: { value: number }[] }[] }[];
  };
  assert.is(metadata.base_model, "org/tiny");
  assert.equal(
    at(metadata["model-index"], 0).results.map(({ dataset, metrics }) => [dataset.config, at(metrics, 0).value]),
    results
      .filter(({ model }) => model === "compressed")
      .map(({ language, perplexity }) => [language, Number(perplexity.toFixed(4))]),
  );
  const recipe = parse(/```yaml\n([\s\S]*?)```/.exec(card)?.[1] ?? "") as Record<string, Record<string, unknown>>;
  const recorded = parse(await readFile(folder.recipe, "utf8")) as Record<string, Record<string, unknown>>;
  assert.equal(Object.keys(recipe["hashes"] ?? {}), ["model", "corpus", "evaluationCorpus", "threads"]);
  for (const key of ["sample", "factor", "compress"]) assert.equal(recipe[key], recorded[key], key);
  assert.equal([recipe["model"], recipe["corpus"], recipe["output"]], ["model", "texts", undefined]);
  assert.not.match(card, root);
});

test("what is no recipe is refused before a card is written", async () => {
  const path = join(root, "broken.yaml");
  for (const [text, type, message] of [
    ["model: [a\n", BadDataError, /broken\.yaml:\d+:\d+: no valid YAML/],
    ["", UsageError, /broken\.yaml: a recipe holds keys and values/],
  ] as const) {
    await writeFile(path, text);
    const error = await writeCard(join(root, "none"), { scores: [], recipe: path }).catch((thrown: unknown) => thrown);
    assert.instance(error, type);
    assert.match((error as Error).message, message);
  }
});

test("without an evaluation the card has the recipe alone, and card: false leaves the folder without one", async () => {
  const { card = "" } = await runRecipe("unscored", {});
  assert.match(card, "```yaml\n");
  assert.match(card, "# model, gptq 4 bits groups of 32\n", "the name of the folder, since the Hub has none");
  assert.not.match(card, "## Results");
  assert.is((await runRecipe("cardless", { assemble: { card: false } })).card, undefined);
});

test.run();
