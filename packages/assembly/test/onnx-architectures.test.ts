import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AutoModelForCausalLM } from "@huggingface/transformers";
import { at } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { openModel, storedPieces, writeSafetensors } from "@mbs/models";
import { floatValues } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble } from "../src/index.ts";
import { plannedCodes } from "./fixtures/planned-codes.ts";
import { quietContext } from "./fixtures/quantised-model.ts";
import { openDecoder, ownLogits, randomLayers, writeDecoder } from "./fixtures/written-decoder.ts";

// Models of every architecture, whose forward pass is checked against transformers.
const fixtures = join(import.meta.dirname, "../../models/test/fixtures/forward");
const root = await mkdtemp(join(tmpdir(), "onnx-architectures-test-"));
test.after(() => rm(root, { recursive: true }));

interface Config {
  readonly model_type: string;
  readonly [key: string]: unknown;
}

/** Key heads and head size of the cache, as the configurations of the model types say. */
function cacheDims(config: Config, hidden: number): readonly [number, number] {
  const first = (...keys: string[]): number => Number(keys.map((key) => config[key]).find((value) => typeof value === "number"));
  const heads = first("num_attention_heads", "n_head", "attention_heads");
  return [Number(config["num_key_value_heads"] ?? heads), Number(config["head_dim"] ?? hidden / heads)];
}

/** Channels and tokens of what convolutions keep, where there are any. */
const convolvedDims = (config: Config, hidden: number): readonly [number, number] => [
  hidden,
  Number(config["conv_L_cache"] ?? 0),
];

/** Of logits of up to 10: some 20 products, with sums of at most 256 terms in float32: √(20 · 256) · 2⁻²⁴ · 10 = 4e-5 as a rule. */
const rounding = 1e-3;

const off = (found: Float32Array, expected: Float32Array): number => {
  assert.is(found.length, expected.length);
  return found.reduce((most, value, index) => Math.max(most, Math.abs(value - at(expected, index))), 0);
};

/** The classes of transformers.js by model type. */
const classes = AutoModelForCausalLM.MODEL_CLASS_MAPPINGS as readonly ReadonlyMap<string, unknown>[];

const ones = (length: number): number[] => Array.from({ length }, () => 1);
const zeros = (length: number): number[] => Array.from({ length }, () => 0);

for (const name of await readdir(fixtures)) {
  const config = JSON.parse(await readFile(join(fixtures, name, "config.json"), "utf8")) as Config;
  // Encoder-decoders are refused, as a test of mbs checks, and wrapped models, as one here does.
  if (config["is_encoder_decoder"] === true || config["text_config"] !== undefined) continue;
  if (/^(gemma4|qwen3_5(_moe)?)_text$/.test(config.model_type)) {
    test(`the decoder of ${name} is refused`, async () => {
      const model = await openModel(join(fixtures, name));
      const { records } = randomLayers(model);
      await writeDecoder(model, records, join(root, name), {}, quietContext).then(
        () => assert.unreachable("it was written"),
        (error: Error) =>
          assert.match(
            error.message,
            /has (model\.embed_tokens_per_layer\.weight|blocks of different sizes|blocks with linear attention), which --format onnx/,
          ),
      );
      await model.close();
    });
    continue;
  }
  test(`the written decoder of ${name} gives our own logits: at once, with its cache, and filled up`, async () => {
    const model = await openModel(join(fixtures, name));
    const { records, weights } = randomLayers(model);
    const warnings: string[] = [];
    const context = testContext({ warn: (text: string) => warnings.push(text) });
    await writeDecoder(model, records, join(root, name), { threeBit: "nibbles" }, context);
    const decoder = await openDecoder(
      join(root, name),
      cacheDims(config, model.hiddenSize),
      convolvedDims(config, model.hiddenSize),
    );
    const { vocabularySize } = model;
    const tokens = Array.from({ length: 14 }, (_, index) => (index * 29 + 5) % vocabularySize);
    const [long, short, missing] = [tokens.slice(0, 12), tokens.slice(3, 12), 3];

    const expected = await ownLogits(model, tokens, weights);
    const shortExpected = await ownLogits(model, tokens.slice(3), weights);
    const rowsOf = (logits: Float32Array, first: number, last: number): Float32Array =>
      logits.subarray(first * vocabularySize, last * vocabularySize);

    const mask = [ones(12), [...zeros(missing), ...ones(short.length)]];
    const outputs = await decoder.run([long, [...zeros(missing), ...short]], mask);
    const logits = floatValues(outputs, "logits");
    assert.ok(off(rowsOf(logits, 0, 12), rowsOf(expected, 0, 12)) < rounding, "prefill");
    assert.ok(off(rowsOf(logits, 12 + missing, 24), rowsOf(shortExpected, 0, short.length)) < rounding, "filled up");
    // two tokens, each by itself behind the cache
    let past = outputs;
    for (const position of [12, 13]) {
      const longer = mask.map((row) => [...row, ...ones(position - 11)]);
      past = await decoder.run([[at(tokens, position)], [at(tokens, position)]], longer, past);
      const next = floatValues(past, "logits");
      assert.ok(off(rowsOf(next, 0, 1), rowsOf(expected, position, position + 1)) < rounding, `token ${position}`);
      assert.ok(
        off(rowsOf(next, 1, 2), rowsOf(shortExpected, position - 3, position - 2)) < rounding,
        `filled up, token ${position}`,
      );
    }
    assert.is(
      warnings.some((text) => text.includes("transformers.js")),
      !classes.some((names) => names.has(config.model_type)),
    );
    await decoder.session.release();
    await model.close();
  });
}

for (const name of ["phi3-longrope-long-f16", "phi3-longrope-short-f32"]) {
  test(`the written decoder of ${name} turns short and long texts by frequencies of their own`, async () => {
    const model = await openModel(join(fixtures, name));
    const { records, weights } = randomLayers(model);
    const folder = join(root, `${name}-long`);
    await writeDecoder(model, records, folder, {}, quietContext);
    const decoder = await openDecoder(folder, [2, 8]);
    // texts of training had 64 tokens
    for (const length of [64, 65]) {
      const tokens = Array.from({ length }, (_, index) => (index * 29 + 5) % model.vocabularySize);
      const found = floatValues(await decoder.run([tokens], [ones(length)]), "logits");
      assert.ok(off(found, await ownLogits(model, tokens, weights)) < rounding, `${length} tokens`);
    }
    await decoder.session.release();
    await model.close();
  });
}

test("an LFM2 of which no block attends is refused, also at planning: transformers.js counts the tokens before by their keys", async () => {
  const folder = join(root, "without-attention");
  const source = await openModel(join(fixtures, "lfm2-f32"));
  await mkdir(folder);
  const config = JSON.parse(await readFile(join(fixtures, "lfm2-f32/config.json"), "utf8")) as Config;
  const changed = { ...config, num_hidden_layers: 2, layer_types: ["conv", "conv"] };
  await writeFile(join(folder, "config.json"), JSON.stringify(changed));
  await cp(join(fixtures, "lfm2-f32/tokenizer.json"), join(folder, "tokenizer.json"));
  const kept = source.checkpoint.list().filter(({ name }) => !/layers\.[23]\./.test(name));
  const pieces: Uint8Array[] = [];
  for await (const piece of writeSafetensors(kept, {}, (info) => storedPieces(source, info))) pieces.push(piece.slice());
  await writeFile(join(folder, "model.safetensors"), Buffer.concat(pieces));
  await source.close();
  const model = await openModel(folder);
  const { records } = randomLayers(model);
  const said = /has no block that attends to tokens, which --format onnx does not export; take --format gguf/;
  const refused = (promise: Promise<unknown>): Promise<void> =>
    promise.then(
      () => assert.unreachable("it was written"),
      (error: Error) => assert.match(error.message, said),
    );
  assert.ok(assemble.checkPlan);
  await refused(
    Promise.resolve(
      assemble.checkPlan({ model: folder, format: "onnx" }, { solver: "gptq", codes: plannedCodes({ groupSize: 16 }) }),
    ),
  );
  await refused(writeDecoder(model, records, join(root, "unwritten"), {}, quietContext));
  await model.close();
});

test.run();
