import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { collect, openArtifact, readScores, readSegments, readStatistics } from "@mbs/artifacts";
import { generate, openModel } from "@mbs/models";
import { recipeFrom, run } from "@mbs/pipeline";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { loadStages } from "../src/stages.ts";
import { runStage, stage } from "./fixtures/stage-runs.ts";
import { requireOnlyLayersChanged } from "./fixtures/changed-layers.ts";

const model = fileURLToPath(new URL("../../models/test/fixtures/forward/mt5-untied-sharded-bf16", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "mbs-source-target-"));
test.after(() => rm(root, { recursive: true }));
const stages = await loadStages();

/** Characters that the tiny tokenizers know. */
const textOf = (length: number, seed: number): string =>
  String.fromCharCode(...Array.from({ length }, (_, at) => 40 + ((at * at * 3 + at * seed + (at >> 3)) % 40)));

const corpus = join(root, "texts");
await mkdir(corpus);
for (const [at, language] of ["en", "mr", "te"].entries()) {
  const lines = Array.from({ length: 40 }, (_, line) => JSON.stringify({ text: textOf(60, 3 * line + at) }));
  await writeFile(join(corpus, `${language}.jsonl`), lines.join("\n"));
}

const recipe = (propagation: string, output: string, change: object = {}) =>
  recipeFrom({
    model,
    corpus,
    sample: { segments: 12, length: 50, mix: "equal" },
    propagation,
    // by default more where weights are corrected, which dense propagation does not do
    factor: { damping: 0.01 },
    compress: { solver: "gptq", bits: 4, groupSize: 8 },
    evaluate: { corpus, length: 40, windows: 6 },
    similarity: true,
    output: join(root, output),
    ...change,
  });

const runAll = (propagation: string, output: string, change?: object) =>
  run(recipe(propagation, output, change), { stages, threads: 1, signal: new AbortController().signal });

for (const propagation of ["dense", "sequential", "true-sequential"]) {
  test(`an mt5 is compressed whole, ${propagation}: both stacks changed`, async () => {
    const { folder } = await runAll(propagation, propagation);
    // 7 layers in each of 2 blocks of the encoder, 11 in each of 2 of the decoder
    await requireOnlyLayersChanged(model, folder.model, 36);
    const scores = await collect(readScores(await openArtifact(folder.scores)));
    const sumOf = (label: string): number =>
      scores.filter((score) => score.model === label).reduce((sum, { nll }) => sum + nll, 0);
    const windows = (label: string) =>
      scores.filter((score) => score.model === label).map(({ tokens, bytes }) => [tokens, bytes]);
    assert.equal(windows("compressed"), windows("dense"));
    assert.is(windows("dense").length, 18);
    assert.ok(Math.abs(sumOf("compressed") / sumOf("dense") - 1) < 0.1, `${sumOf("compressed")} ${sumOf("dense")}`);
    assert.not.equal(sumOf("compressed"), sumOf("dense"));
  });
}

test("a run from the start gives the same bytes again", async () => {
  const [first, again] = [await runAll("sequential", "sequential"), await runAll("sequential", "sequential-again")];
  assert.ok(first.nodes.every(({ seconds }) => seconds === undefined));
  assert.ok(again.nodes.every(({ seconds }) => seconds !== undefined));
  const addresses = ({ nodes }: typeof first) => nodes.map(({ id, address }) => [id, address]);
  assert.equal(addresses(again), addresses(first));
});

const layersOf = async (folder: string): Promise<Map<string, Float32Array>> => {
  const written = await openModel(join(root, folder, "model"));
  const tensors = written.blocks.flatMap(({ sites }) => sites.flatMap((site) => site.weights.map(({ tensor }) => tensor)));
  const values = new Map(await Promise.all(tensors.map(async (name) => [name, await written.readWeight(name)] as const)));
  await written.close();
  return values;
};

test("sequential propagation gives the decoder the states of the compressed encoder", async () => {
  const [dense, sequential] = [await layersOf("dense"), await layersOf("sequential")];
  const [first, cross] = ["encoder.block.0.layer.0.SelfAttention.q.weight", "decoder.block.0.layer.1.EncDecAttention.k.weight"];
  assert.equal(sequential.get(first), dense.get(first));
  assert.not.equal(sequential.get(cross), dense.get(cross));
});

const captureOf = async (seed: number): Promise<readonly string[]> => {
  const sample = { segments: 12, length: 50, mix: "equal", seed };
  const { nodes } = await runAll("dense", `seed-${seed}`, { sample, evaluate: undefined });
  return nodes.filter(({ id }) => id === "capture").map(({ address }) => address);
};

test("other seeds of the sample cut other spans", async () => {
  assert.not.equal(await captureOf(1), await captureOf(2));
});

test("segments that need more sentinel tokens than there are end the run with the remedy", async () => {
  const error: unknown = await runAll("dense", "long", { sample: { segments: 3, length: 300, mix: "equal" } }).catch(
    (raised: unknown) => raised,
  );
  assert.match(String(error), /300 tokens has 15 spans to cut out and the tokenizer 8 sentinel tokens; lower --length/);
});

test("the decoder answers a text with its likeliest tokens", async () => {
  const opened = await openModel(model);
  const made = await generate(opened, textOf(10, 1), 5, { threads: 1 });
  assert.type(made, "string");
  assert.is(await generate(opened, textOf(10, 1), 5, { threads: 1 }), made);
  await opened.close();
});

for (const format of ["gptq", "compressed-tensors", "onnx"]) {
  test(`an encoder-decoder is not written as ${format}`, async () => {
    const error: unknown = await runAll("dense", `as-${format}`, { assemble: { format }, evaluate: undefined }).catch(
      (raised: unknown) => raised,
    );
    assert.match(String(error), /is an encoder-decoder \(mt5\), which --format .* does not hold; assemble with --format dense/);
    const written = await readFile(join(root, `as-${format}`, "model", "config.json")).catch(() => undefined);
    assert.is(written, undefined);
  });
}

const nllb = fileURLToPath(new URL("../../models/test/fixtures/forward/m2m-100-nllb-sharded-bf16", import.meta.url));
const translations = join(root, "translations");
await mkdir(translations);
for (const [at, language] of ["en", "te"].entries()) {
  const lines = Array.from({ length: 60 }, (_, line) =>
    JSON.stringify({ source: textOf(8 + (line % 9), 3 * line + at), target: textOf(6 + (line % 7), 5 * line + at) }),
  );
  await writeFile(join(translations, `${language}.jsonl`), lines.join("\n"));
}
const asPairs = { sourceTarget: true, targetLanguage: "mr" };
const ofPairs = {
  model: nllb,
  corpus: translations,
  sample: { segments: 40, length: 50, mix: "equal", ...asPairs },
  evaluate: { corpus: translations, length: 40, windows: 12, ...asPairs },
};

for (const propagation of ["dense", "sequential"]) {
  test(`an NLLB is compressed on sources and targets, ${propagation}, and scored on them`, async () => {
    const { folder } = await runAll(propagation, `pairs-${propagation}`, ofPairs);
    // 6 layers in the block of the encoder, 10 in each of 3 of the decoder
    await requireOnlyLayersChanged(nllb, folder.model, 36);
    const scores = await collect(readScores(await openArtifact(folder.scores)));
    const sumOf = (label: string): number =>
      scores.filter((score) => score.model === label).reduce((sum, { nll }) => sum + nll, 0);
    assert.is(scores.length, 48);
    assert.ok(Math.abs(sumOf("compressed") / sumOf("dense") - 1) < 0.1, `${sumOf("compressed")} ${sumOf("dense")}`);
    assert.not.equal(sumOf("compressed"), sumOf("dense"));
  });
}

test("each site sees the tokens of its own side, with languages and ends", async () => {
  const options = { model: nllb, corpus: translations, segments: 12, length: 50, mix: "equal", ...asPairs };
  const drawn = await collect(readSegments(await runStage("sample", {}, options)));
  const captured = await stage("capture", "source", await runStage("sample", {}, options), { model: nllb });
  const seen = new Map<string, number>();
  for await (const { block, site, language, tokens } of readStatistics(captured)) {
    if (language === "te") seen.set(`${block.replace("model.", "")} ${site}`, tokens);
  }
  const own = drawn.filter(({ language }) => language === "te");
  const source = own.reduce((sum, { tokens }) => sum + tokens.length, 0);
  // the last token of a target is predicted and not read
  const target = own.reduce((sum, segment) => sum + (segment.target?.length ?? 0) - 1, 0);
  assert.not.equal(source, target);
  for (const [site, expected] of [
    ["encoder.layers.0 attention-qkv", source],
    ["encoder.layers.0 mlp-down", source],
    ["decoder.layers.2 attention-qkv", target],
    ["decoder.layers.2 cross-attention-q", target],
    ["decoder.layers.2 cross-attention-kv", source],
    ["decoder.layers.2 mlp-down", target],
  ] as const) {
    assert.is(seen.get(site), expected, site);
  }
});

test("a model of pairs is not calibrated on texts", async () => {
  const texts = { ...ofPairs, corpus, sample: { segments: 4, length: 30, mix: "equal" }, evaluate: undefined };
  const error: unknown = await runAll("dense", "no-pairs", texts).catch((raised: unknown) => raised);
  assert.match(String(error), /cannot predict spans cut out of a text; give sources with targets, and --source-target/);
});

test.run();
