import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { AutoModelForCausalLM, AutoTokenizer, env, Tensor } from "@huggingface/transformers";
import type { PreTrainedModel, PreTrainedTokenizer } from "@huggingface/transformers";
import { unpackFiles } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import { generate, openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { turnTelemetryOff } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble } from "../src/index.ts";
import { transformersJsWarning } from "../src/onnx/onnx-format.ts";
import { caseLayers, quietContext } from "./fixtures/quantised-model.ts";
import type { Rounding } from "./fixtures/quantised-model.ts";
import { ownLogits, randomLayers, writeDecoder } from "./fixtures/written-decoder.ts";

const source = resolve(import.meta.dirname, "../../../datasets/controlled-bloom-small");
const root = await mkdtemp(join(tmpdir(), "transformers-js-test-"));
test.after(() => rm(root, { recursive: true }));

// transformers.js makes sessions of its own
turnTelemetryOff();
env.allowRemoteModels = false;
// when the tests begin: another file of this process has a folder of its own
test.before(() => {
  env.localModelPath = root;
});

const texts = ["The file is", "Cliquez sur", "ファイルを"];
const newTokens = 12;

/** Writes the model with every weight rounded, as ONNX and dense. */
async function write(name: string, rounding: Rounding, options: Record<string, unknown>) {
  const folders = { onnx: join(root, name), dense: join(root, `${name}-dense`) };
  const model = await openModel(source);
  for (const format of ["onnx", "dense"] as const) {
    const layers = [caseLayers(model, { name, format, rounding: () => rounding })];
    const own = format === "onnx" ? options : {};
    const { files } = await assemble.run({ layers }, { model: source, format, ...own }, quietContext);
    assert.ok(files);
    await unpackFiles(files, folders[format], { force: false });
  }
  await model.close();
  return folders;
}

/** Greedy continuations by transformers.js, from a folder below its localModelPath: of each text, and of all as a batch. */
async function continueThere(folder: string): Promise<{ alone: string[]; together: string[] }> {
  assert.is(dirname(folder), root);
  const tokenizer: PreTrainedTokenizer = await AutoTokenizer.from_pretrained(basename(folder));
  const model: PreTrainedModel = await AutoModelForCausalLM.from_pretrained(basename(folder));
  const continued = async (given: readonly string[]): Promise<string[]> => {
    const inputs = tokenizer([...given], { padding: true }) as { input_ids: Tensor; attention_mask: Tensor };
    const outputs = (await model.generate({ ...inputs, max_new_tokens: newTokens, do_sample: false })) as Tensor;
    const added = outputs.slice(null, [at(inputs.input_ids.dims, 1), at(outputs.dims, 1)]);
    return tokenizer.batch_decode(added, { skip_special_tokens: true });
  };
  const alone: string[] = [];
  for (const text of texts) alone.push(...(await continued([text])));
  const together = await continued(texts);
  await model.dispose();
  return { alone, together };
}

async function continueHere(folder: string): Promise<string[]> {
  const model = await openModel(folder);
  const continued: string[] = [];
  for (const text of texts) continued.push(await generate(model, text, newTokens, { threads: 1 }));
  await model.close();
  return continued;
}

for (const [name, rounding, options] of [
  ["four", { bits: 4, groupSize: 64, symmetric: true }, {}],
  ["three-planes", { bits: 3, groupSize: 32, symmetric: false }, { threeBit: "planes" }],
  ["three-nibbles", { bits: 3, groupSize: 32, symmetric: true, scattered: true }, { threeBit: "nibbles", embeddings: "f32" }],
  ["pruned", { pruned: true }, {}],
] as const) {
  test(`transformers.js continues texts as our own forward pass does: ${name}`, async () => {
    const folders = await write(name, rounding, options);
    const expected = await continueHere(folders.dense);
    assert.ok(expected.every((text) => text.length > newTokens / 2));
    const { alone, together } = await continueThere(folders.onnx);
    assert.equal(alone, expected);
    assert.equal(together, expected, "as a batch, filled up on the left");
  });
}

/** Greedy continuation by our own forward pass, to the end-of-text token. */
async function greedyHere(
  model: Model,
  start: readonly number[],
  weights: ReadonlyMap<string, Float32Array>,
  ends: ReadonlySet<number>,
) {
  const ids = [...start];
  while (ids.length < start.length + 5 && !ends.has(ids.at(-1) ?? -1)) {
    const last = (await ownLogits(model, ids, weights)).subarray(-model.vocabularySize);
    ids.push(last.indexOf(Math.max(...last)));
  }
  return ids;
}

const fixtures = resolve(import.meta.dirname, "../../models/test/fixtures/forward");
const modelTypes = new Set<string>();
for (const name of await readdir(fixtures)) {
  const config = JSON.parse(await readFile(join(fixtures, name, "config.json"), "utf8")) as Record<string, unknown>;
  const modelType = String(config["model_type"]);
  // Qwen 3.5 is not exported
  const isExported = config["is_encoder_decoder"] !== true && config["text_config"] === undefined && modelType !== "qwen3_5_text";
  if (!isExported || transformersJsWarning(modelType) !== undefined || modelTypes.has(modelType)) continue;
  modelTypes.add(modelType);
  test(`transformers.js runs ${modelType} as our own forward pass does`, async () => {
    const model = await openModel(join(fixtures, name));
    const { records, weights } = randomLayers(model);
    await writeDecoder(model, records, join(root, name), {}, quietContext);
    const start = Array.from({ length: 6 }, (_, index) => (index * 29 + 5) % model.vocabularySize);
    const ends = new Set([config["eos_token_id"]].flat().map(Number));
    const expected = await greedyHere(model, start, weights, ends);
    const there: PreTrainedModel = await AutoModelForCausalLM.from_pretrained(name);
    const input_ids = new Tensor("int64", BigInt64Array.from(start, BigInt), [1, start.length]);
    const outputs = (await there.generate({ inputs: input_ids, max_new_tokens: 5, do_sample: false })) as Tensor;
    assert.equal([...(outputs.data as BigInt64Array)].map(Number), expected);
    assert.ok(expected.length > start.length);
    await there.dispose();
    await model.close();
  });
}

test.run();
