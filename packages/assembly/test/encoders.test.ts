import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env, pipeline } from "@huggingface/transformers";
import type { Tensor as HubTensor } from "@huggingface/transformers";
import { at, FailedPreconditionError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { openModel, readPooling, runBlocks } from "@mbs/models";
import type { Model } from "@mbs/models";
import { createSession, floatValues, integerTensor } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { encodeLayers, unpackFiles } from "@mbs/artifacts";
import { assemble, formatSizeReport, sizeReport } from "../src/index.ts";
import { quietContext } from "./fixtures/quantised-model.ts";
import { randomLayers, writeDecoder } from "./fixtures/written-decoder.ts";

const fixtures = join(import.meta.dirname, "../../models/test/fixtures/encoders");
const root = await mkdtemp(join(tmpdir(), "onnx-encoders-test-"));
test.after(() => rm(root, { recursive: true }));
env.allowRemoteModels = false;
// when the tests begin: another file of this process has a folder of its own
test.before(() => {
  env.localModelPath = root;
});

/** States of size 3 behind some 20 products with sums of at most 48 terms: √(20 · 48) · 2⁻²⁴ · 3 = 6e-6 as a rule. */
const rounding = 1e-4;

interface Golden {
  readonly tokens: readonly number[];
  readonly rows: readonly number[];
  readonly states: readonly (readonly number[])[];
  readonly padded: { readonly tokens: readonly number[]; readonly last: readonly number[] };
}

const off = (found: ArrayLike<number>, expected: ArrayLike<number>): number => {
  assert.is(found.length, expected.length);
  return Array.from(found).reduce((most, value, index) => Math.max(most, Math.abs(value - at(expected, index))), 0);
};

/** States of a text, with its ends, by our own forward pass. */
async function ownStates(model: Model, tokens: readonly number[], weights?: ReadonlyMap<string, Float32Array>): Promise<Matrix> {
  const forward = await model.forward({ threads: 1 });
  const inputs = new Map([["hidden", Int32Array.from(tokens)]]);
  const states = await runBlocks(model, forward, inputs, weights === undefined ? {} : { weights });
  await forward.close();
  return states;
}

/** What ONNX Runtime makes of a batch of texts that are filled up with token 1. */
async function runFile(file: string, texts: readonly (readonly number[])[]): Promise<Float32Array> {
  const session = await createSession(file, { threads: 1 });
  assert.equal(session.inputNames, ["input_ids", "attention_mask"]);
  assert.equal(session.outputNames, ["last_hidden_state"]);
  const length = Math.max(...texts.map((text) => text.length));
  const filled = texts.flatMap((text) => [...text, ...Array.from({ length: length - text.length }, () => 1)]);
  const mask = texts.flatMap((text) => Array.from({ length }, (_, index) => (index < text.length ? 1 : 0)));
  const dims = [texts.length, length];
  const made = await session.run({ input_ids: integerTensor(filled, dims), attention_mask: integerTensor(mask, dims) });
  await session.release();
  return floatValues(made, "last_hidden_state");
}

const text = "the und la на और abc";

for (const name of await readdir(fixtures)) {
  const readGolden = async (): Promise<Golden> =>
    JSON.parse(await readFile(join(fixtures, name, "golden.json"), "utf8")) as Golden;

  test(`${name} as it is: states of ONNX Runtime are those of transformers, of a text that is filled up too`, async () => {
    const golden = await readGolden();
    const folder = join(root, `${name}-dense`);
    const model = await openModel(join(fixtures, name));
    const { files } = await assemble.run({}, { model: model.path, format: "onnx" }, quietContext);
    if (files === undefined) throw new Error("assemble gave no files");
    await unpackFiles(files, folder, { force: false });
    const { hiddenSize: width } = model;
    await model.close();
    const states = await runFile(join(folder, "onnx/model.onnx"), [golden.tokens, golden.padded.tokens]);
    for (const [index, row] of golden.rows.entries()) {
      const distance = off(states.subarray(row * width, (row + 1) * width), at(golden.states, index));
      assert.ok(distance < rounding, `row ${row} differs by ${distance}`);
    }
    const last = golden.tokens.length + golden.padded.tokens.length - 1;
    const distance = off(states.subarray(last * width, (last + 1) * width), golden.padded.last);
    assert.ok(distance < rounding, `the last token of the shorter text differs by ${distance}`);
  });

  test(`${name} with layers in 2 to 8 bits: transformers.js makes the embeddings that our own forward pass makes`, async () => {
    const model = await openModel(join(fixtures, name));
    const { records, weights } = randomLayers(model);
    const folder = `${name}-layers`;
    await writeDecoder(model, records, join(root, folder), { threeBit: "nibbles" }, quietContext);
    const { ofPrompt } = await model.passages();
    const tokens = [...(ofPrompt((await model.tokenizer()).encode(text)).get("hidden") ?? [])];
    const { values, rows, columns } = await ownStates(model, tokens, weights);
    await model.close();
    const config = JSON.parse(await readFile(join(root, folder, "config.json"), "utf8")) as Record<string, unknown>;
    assert.equal(config["transformers.js_config"], { dtype: "q4", use_external_data_format: { "model_q4.onnx": 1 } });
    const extract = await pipeline("feature-extraction", folder);
    const whole: HubTensor = await extract(text);
    assert.equal(whole.dims, [1, rows, columns]);
    const distance = off(whole.data as Float32Array, values);
    assert.ok(distance < rounding, `states differ by ${distance}`);
    const pooled = await extract(text, { pooling: "mean" });
    const means = Array.from({ length: columns }, (_, column) => {
      const own = Array.from({ length: rows }, (_row, row) => at(values, row * columns + column));
      return own.reduce((sum, value) => sum + value, 0) / rows;
    });
    assert.ok(off(pooled.data as Float32Array, means) < rounding);
    await extract.dispose();
  });
}

/** Of half a step of 8 bits between the smallest and largest of 32 values of size 0.4, summed up by two blocks and norms. */
const tableRounding = 0.05;

test("--embeddings int8 rounds the table of tokens, and the head that is not there is not written", async () => {
  const model = await openModel(join(fixtures, "xlm-roberta-f32"));
  const folder = join(root, "int8-table");
  const { files } = await assemble.run({}, { model: model.path, format: "onnx", embeddings: "int8" }, quietContext);
  if (files === undefined) throw new Error("assemble gave no files");
  await unpackFiles(files, folder, { force: false });
  const tokens = [0, 9, 20, 33, 40, 2];
  const expected = (await ownStates(model, tokens)).values;
  const distance = off(await runFile(join(folder, "onnx/model.onnx"), [tokens]), expected);
  assert.ok(distance > 0 && distance < tableRounding, `states differ by ${distance}`);
  await model.close();
});

for (const name of ["bert-f32", "xlm-roberta-f32"]) {
  test(`the file of ${name} has its weights and tokens, and the same states`, async () => {
    const model = await openModel(join(fixtures, name));
    const { records, weights } = randomLayers(model);
    const metadata = { model: model.address, solver: "gptq", options: {}, order: "natural", weights: {} } as const;
    const folder = join(root, `file-${name}`);
    const layers = [encodeLayers(records, metadata)];
    const { files } = await assemble.run({ layers }, { model: model.path, format: "gguf", type: "F32" }, quietContext);
    if (files === undefined) throw new Error("assemble gave no files");
    await unpackFiles(files, folder, { force: false });
    const file = await openModel(join(folder, "model.gguf"));
    assert.is(file.architecture, "bert");
    assert.is(file.positionLimit, model.positionLimit);
    const [own, other] = [await model.tokenizer(), await file.tokenizer()];
    const text = "the und la dena на и और तप.";
    assert.equal(other.encode(text, "text"), own.encode(text, "text"));
    assert.equal((await file.passages()).ofPrompt(Int32Array.of(9)), (await model.passages()).ofPrompt(Int32Array.of(9)));
    const tokens = [0, 9, 20, 33, 40, 12, 2];
    assert.equal((await ownStates(file, tokens)).values, (await ownStates(model, tokens, weights)).values);
    assert.is(await readPooling(file), await readPooling(model));
    await file.close();
    await model.close();
  });
}

test("the dense folder keeps the pooler, and formats for decoders are refused", async () => {
  const model = await openModel(join(fixtures, "xlm-roberta-f32"));
  const { records } = randomLayers(model);
  const metadata = { model: model.address, solver: "gptq", options: {}, order: "natural", weights: {} } as const;
  const run = async (format: string, folder: string): Promise<void> => {
    const { files } = await assemble.run(
      { layers: [encodeLayers(records, metadata)] },
      { model: model.path, format },
      quietContext,
    );
    if (files === undefined) throw new Error("assemble gave no files");
    await unpackFiles(files, folder, { force: false });
  };
  await run("dense", join(root, "dense"));
  const written = await openModel(join(root, "dense"));
  assert.equal(await written.readWeight("pooler.dense.weight"), await model.readWeight("pooler.dense.weight"));
  assert.is(written.stacks, "encoder");
  await written.close();
  assert.equal(await readdir(join(root, "dense", "1_Pooling")), ["config.json"]);
  await run("onnx", join(root, "packed"));
  await run("gguf", join(root, "file"));
  for (const [folder, ways, next] of [
    ["dense", /AutoModel\.from_pretrained/, /; --format gguf or onnx packs the weights$/m],
    [
      "packed",
      /pipeline\("feature-extraction", "FOLDER"\)/,
      /^by part: embedding [^,]+, blocks .*\n[\d.]+ bits a compressed weight with its scales\n/m,
    ],
    [
      "file",
      /llama-embedding -m FOLDER\/model\.gguf/,
      /^by part: embedding [^,]+, blocks .*\n[\d.]+ bits a compressed weight with its scales\n/m,
    ],
  ] as const) {
    const card = await readFile(join(root, folder, "README.md"), "utf8");
    assert.match(card, ways);
    assert.match(card, /^pipeline_tag: "feature-extraction"$/m);
    const said = formatSizeReport(await sizeReport(join(root, folder)));
    assert.match(said, next);
    assert.not.match(said, "decoding");
  }
  for (const format of ["gptq", "compressed-tensors"]) {
    try {
      await run(format, join(root, format));
      assert.unreachable();
    } catch (error) {
      assert.instance(error, FailedPreconditionError);
      assert.match((error as Error).message, /is an encoder \(xlm-roberta\), .* assemble with --format gguf, onnx or dense/);
    }
  }
  await model.close();
});

test.run();
