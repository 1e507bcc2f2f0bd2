import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { at } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import type { TinyModelOptions } from "@mbs/models/testing";
import { floatValues } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openDecoder, ownLogits, randomLayers, writeDecoder } from "./fixtures/written-decoder.ts";

const root = await mkdtemp(join(tmpdir(), "onnx-format-test-"));
test.after(() => rm(root, { recursive: true }));
let count = 0;

const context = testContext();

async function write(tiny: TinyModelOptions, options: Record<string, unknown> = {}) {
  const [source, folder] = [join(root, String(count++)), join(root, String(count++))];
  await writeTinyModel(source, tiny);
  const model = await openModel(source);
  const { records, weights } = randomLayers(model);
  await writeDecoder(model, records, folder, options, context);
  const { heads = 4, hiddenSize = 32 } = tiny;
  return { model, weights, folder, decoder: await openDecoder(folder, [heads, hiddenSize / heads]) };
}

const largest = (a: Float32Array, b: Float32Array): number => {
  assert.is(a.length, b.length);
  return a.reduce((most, value, index) => Math.max(most, Math.abs(value - at(b, index))), 0);
};

/** Of logits of up to 10: some 20 products, with sums of at most 256 terms in float32: √(20 · 256) · 2⁻²⁴ · 10 = 4e-5 as a rule. */
const rounding = 1e-3;

const text = [1, 70, 105, 5, 200, 34, 34, 120, 9, 77, 150, 43];
const ones = (length: number): number[] => Array.from({ length }, () => 1);

for (const dtype of ["f32", "f16", "bf16"] as const) {
  test(`logits of a ${dtype} model equal our own, at once and token by token`, async () => {
    const { model, weights, decoder } = await write({ dtype, hiddenSize: 64, heads: 4, seed: 3 });
    const expected = await ownLogits(model, text, weights);
    const whole = await decoder.run([text], [ones(text.length)]);
    assert.equal(whole["logits"]?.dims, [1, text.length, model.vocabularySize]);
    assert.ok(largest(floatValues(whole, "logits"), expected) < rounding);
    let outputs = await decoder.run([text.slice(0, 4)], [ones(4)]);
    for (let position = 4; position < text.length; position++) {
      outputs = await decoder.run([[at(text, position)]], [ones(position + 1)], outputs);
      const row = expected.subarray(position * model.vocabularySize, (position + 1) * model.vocabularySize);
      assert.ok(largest(floatValues(outputs, "logits"), row) < rounding, `token ${position}`);
    }
    assert.equal(outputs["present.1.value"]?.dims, [1, 4, text.length, 16]);
    await decoder.session.release();
    await model.close();
  });
}

test("a shorter text of a batch, filled up on the left, has its own logits", async () => {
  const { model, weights, decoder } = await write({ dtype: "f32", hiddenSize: 48, heads: 3 });
  const short = text.slice(0, 7);
  const missing = text.length - short.length;
  const filled = [...Array.from({ length: missing }, () => 3), ...short];
  const mask = [...Array.from({ length: missing }, () => 0), ...ones(short.length)];
  const first = await decoder.run([text, filled], [ones(text.length), mask]);
  const { vocabularySize } = model;
  const all = floatValues(first, "logits");
  assert.ok(largest(all.subarray(0, text.length * vocabularySize), await ownLogits(model, text, weights)) < rounding);
  assert.ok(largest(all.subarray((text.length + missing) * vocabularySize), await ownLogits(model, short, weights)) < rounding);
  const next = await decoder.run(
    [[50], [60]],
    [
      [...ones(text.length), 1],
      [...mask, 1],
    ],
    first,
  );
  const longer = await Promise.all(
    [
      [...text, 50],
      [...short, 60],
    ].map((tokens) => ownLogits(model, tokens, weights)),
  );
  const lasts = longer.map((logits) => logits.subarray(-vocabularySize));
  assert.ok(largest(floatValues(next, "logits"), Float32Array.from([...at(lasts, 0), ...at(lasts, 1)])) < rounding);
  await decoder.session.release();
  await model.close();
});

test("the folder has what transformers.js asks for, and no safetensors", async () => {
  const { model, folder, decoder } = await write({ dtype: "f16" });
  const names = (await readdir(folder, { recursive: true })).sort();
  for (const name of [
    "config.json",
    "mbs.json",
    "onnx/model_q4.onnx",
    "onnx/model_q4.onnx_data",
    "tokenizer.json",
    "tokenizer_config.json",
  ]) {
    assert.ok(names.includes(name), `${name} is not among ${names.join(", ")}`);
  }
  assert.is(
    names.some((name) => name.includes("safetensors")),
    false,
  );
  const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8"));
  assert.is(config.model_type, "bloom");
  assert.equal(config["transformers.js_config"], {
    dtype: "q4",
    kv_cache_dtype: "float32",
    use_external_data_format: { "model_q4.onnx": 1 },
  });
  const past = [0, 1].flatMap((block) => [`past_key_values.${block}.key`, `past_key_values.${block}.value`]);
  assert.equal(decoder.session.inputNames, ["input_ids", "attention_mask", ...past]);
  await decoder.session.release();
  await model.close();
});

test.run();
