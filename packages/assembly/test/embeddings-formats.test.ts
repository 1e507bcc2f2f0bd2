import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { embeddingSite, encodeLayers, headSite, unpackFiles, embeddingsBlock } from "@mbs/artifacts";
import type { LayerRecord } from "@mbs/artifacts";
import { at, FailedPreconditionError } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { openModel, writeSafetensors } from "@mbs/models";
import type { Model } from "@mbs/models";
import { writeTinyModel, type TinyModelOptions } from "@mbs/models/testing";
import { encodeWeights } from "@mbs/numbers";
import { floatValues } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble } from "../src/index.ts";
import { plannedCodes } from "./fixtures/planned-codes.ts";
import { layerRecord, randomLayer } from "./fixtures/random-layer.ts";
import { openDecoder, ownLogits, randomLayers, writeDecoder } from "./fixtures/written-decoder.ts";

const root = await mkdtemp(join(tmpdir(), "embeddings-formats-test-"));
test.after(() => rm(root, { recursive: true }));
let count = 0;
const newFolder = (): string => join(root, String(count++));

const warnings: string[] = [];
const context = testContext({ warn: (message) => warnings.push(message) });

const hidden = 64;
const embedding = "transformer.word_embeddings.weight";

async function openTiny(options: TinyModelOptions = {}): Promise<Model> {
  const folder = newFolder();
  await writeTinyModel(folder, { dtype: "f32", hiddenSize: hidden, heads: 4, seed: 5, ...options });
  return openModel(folder);
}

/** A layer of embedding and head, and the values that it stands for. */
function tableLayer(model: Model, bits: number, options: { groupSize?: number; scattered?: boolean } = {}) {
  const layer = randomLayer({
    tensor: embedding,
    rows: model.vocabularySize,
    columns: hidden,
    bits,
    groupSize: 32,
    symmetric: false,
    scattered: false,
    ...options,
  });
  return { record: layerRecord(layer, embeddingsBlock, headSite, model.dtype), exact: layer.exact };
}

async function write(model: Model, records: readonly LayerRecord[], format: string, options: object = {}): Promise<Model> {
  const folder = newFolder();
  const metadata = { model: model.address, solver: "gptq", options: {}, order: "natural", weights: {} };
  const { files } = await assemble.run(
    { layers: [encodeLayers(records, metadata)] },
    { model: model.path, format, ...options },
    context,
  );
  assert.ok(files);
  await unpackFiles(files, folder, { force: false });
  return openModel(folder);
}

interface Sizes {
  readonly bytes: number;
  readonly parts: readonly { readonly name: string; readonly denseBytes: number; readonly bytes: number }[];
}

const readSizes = async (folder: string): Promise<{ sizes: Sizes }> =>
  JSON.parse(await readFile(join(folder, "mbs.json"), "utf8")) as { sizes: Sizes };

const text = [1, 70, 105, 5, 200, 34, 34, 120, 9, 77, 150, 43];

for (const [bits, groupSize] of [
  [8, 64],
  [4, 16],
  [3, 32],
  [6, 64],
] as const) {
  test(`embedding and head of ${bits} bits stand once in an ONNX model, whose logits are those of the dense folder`, async () => {
    const model = await openTiny();
    const { record, exact } = tableLayer(model, bits, { groupSize });
    const { records } = randomLayers(model);
    const folder = newFolder();
    await writeDecoder(model, [...records, record], folder, {}, context);
    const { parts, bytes } = (await readSizes(folder)).sizes;
    assert.equal(
      parts.map(({ name }) => name),
      ["embedding and head", "blocks"],
    );
    const [table, rest] = parts;
    assert.ok(table && rest);
    assert.is(table.denseBytes, 4 * model.vocabularySize * hidden);
    assert.ok(table.bytes < table.denseBytes / 3);
    assert.is(table.bytes + rest.bytes, bytes);
    const dense = await write(model, [...records, record], "dense");
    assert.equal(await dense.checkpoint.readF32(embedding), exact);
    const expected = await ownLogits(dense, text, new Map());
    const decoder = await openDecoder(folder, [4, hidden / 4]);
    const { logits } = await decoder.run([text], [text.map(() => 1)]);
    await decoder.session.release();
    assert.ok(logits);
    // as in onnx-format.test.ts: logits of up to 10, sums of at most 256 terms in float32
    const found = floatValues({ logits }, "logits");
    const off = found.reduce((most, value, index) => Math.max(most, Math.abs(value - at(expected, index))), 0);
    assert.ok(off < 1e-3, `${off}`);
    await Promise.all([model.close(), dense.close()]);
  });
}

test("columns that are scattered over groups are refused for a table of tokens", async () => {
  const model = await openTiny();
  const { record } = tableLayer(model, 4, { scattered: true });
  const error = await writeDecoder(model, [record], newFolder(), {}, context).then(
    () => undefined,
    (caught: unknown) => caught,
  );
  assert.instance(error, FailedPreconditionError);
  assert.match(String(error), "factor with --order natural or group-aware");
  await model.close();
});

test("codes of embedding and head are not rounded again", async () => {
  const model = await openTiny();
  const { record } = tableLayer(model, 8);
  const error = await writeDecoder(model, [record], newFolder(), { embeddings: "int8" }, context).then(
    () => undefined,
    (caught: unknown) => caught,
  );
  assert.match(String(error), "--embeddings int8 would round embedding and head once more");
  await model.close();
});

/** Layers of 4 bits for every weight of the blocks. */
const blockLayers = (model: Model): LayerRecord[] =>
  model.blocks.flatMap(({ name, sites }) =>
    sites.flatMap(({ name: site, width, weights }) =>
      weights.map(({ tensor, rows }) => {
        const options = { tensor, rows, columns: width, bits: 4, groupSize: 32, symmetric: true, scattered: false };
        return layerRecord(randomLayer(options), name, site, model.dtype);
      }),
    ),
  );

const codes = plannedCodes();

/** What a plan of GPTQ with embedding and head fails with. */
async function planFailure(
  model: Model,
  format: string,
  options: object = {},
  more: object = { embeddings: codes },
): Promise<unknown> {
  assert.ok(assemble.checkPlan);
  return assemble.checkPlan({ model: model.path, format, ...options }, { solver: "gptq", codes, ...more }).then(
    () => undefined,
    (caught: unknown) => caught,
  );
}

const embeddings = 288;
const headTensor = "lm_head.weight";

/** A tiny model with a tensor beside its embedding: a head of its own, or one that repeats it. */
async function openWithHead(isTied: boolean, values: (embedding: Float32Array) => Float32Array): Promise<Model> {
  const [source, folder] = [newFolder(), newFolder()];
  await writeTinyModel(source, { dtype: "f16", hiddenSize: hidden, heads: 4, seed: 5, vocabularySize: embeddings });
  await cp(source, folder, { recursive: true });
  const model = await openModel(source);
  const tensors = model.checkpoint.list();
  const own = { ...model.checkpoint.info(embedding), name: headTensor };
  const bytes = new Map<string, Uint8Array>();
  for (const { name } of tensors) bytes.set(name, await model.checkpoint.readRaw(name));
  bytes.set(headTensor, encodeWeights("f16", values(await model.checkpoint.readF32(embedding))));
  await model.close();
  const file = writeSafetensors([...tensors, own], { format: "pt" }, ({ name }) => [bytes.get(name) ?? new Uint8Array(0)]);
  await writeFile(join(folder, "model.safetensors"), file);
  const config = JSON.parse(await readFile(join(source, "config.json"), "utf8")) as object;
  await writeFile(join(folder, "config.json"), JSON.stringify({ ...config, tie_word_embeddings: isTied }));
  return openModel(folder);
}

for (const format of ["gptq-v2", "compressed-tensors"]) {
  test(`${format} leaves a tied embedding as it is and says what else it would cost; a plan refuses it`, async () => {
    const model = await openTiny();
    warnings.length = 0;
    const written = await write(model, [...blockLayers(model), tableLayer(model, 4).record], format);
    assert.equal(await written.checkpoint.readF32(embedding), await model.checkpoint.readF32(embedding));
    assert.match(warnings.join("\n"), `${embedding} stays as in the source`);
    assert.match(warnings.join("\n"), /would take 66\.\d kB more as a tensor of its own/);
    const error = await planFailure(model, format);
    assert.instance(error, FailedPreconditionError);
    assert.match(String(error), "write compress: { embeddings: off }, or assemble: { untie-head: true }, which adds");
    assert.is(written.checkpoint.has(headTensor), false);
    const { tensors } = JSON.parse(await readFile(join(written.path, "mbs.json"), "utf8")) as { tensors: object };
    assert.is(Object.hasOwn(tensors, embedding), false);
    assert.is(await planFailure(model, "onnx"), undefined);
    await Promise.all([model.close(), written.close()]);
  });

  for (const isStoredTwice of [false, true]) {
    const stored = isStoredTwice ? "a stored head that repeats the embedding" : "an embedding that is the head";
    test(`${format} packs ${stored} as a head of its own where that is asked for`, async () => {
      const model = isStoredTwice ? await openWithHead(true, (values) => values) : await openTiny({ vocabularySize: embeddings });
      const options = { untieHead: true };
      assert.is(await planFailure(model, format, options), undefined);
      assert.match(String(await planFailure(model, format, options, {})), "the head that it would write is not rounded");
      const rows = model.vocabularySize;
      const table = randomLayer({ tensor: embedding, rows, columns: hidden, bits: 4, groupSize: 32, symmetric: true });
      const records = [...blockLayers(model), layerRecord(table, embeddingsBlock, headSite, model.dtype)];
      warnings.length = 0;
      const written = await write(model, records, format, options);
      assert.match(warnings.join("\n"), new RegExp(`the head is added as ${headTensor}, [\\d.]+ kB more; the embedding`));
      assert.is(written.embeddings?.isTied, false);
      assert.equal(await written.checkpoint.readF32(embedding), await model.checkpoint.readF32(embedding));
      const head = await written.checkpoint.readF32(headTensor);
      // scales of GPTQ's files are rounded to f16, half a unit in the last place
      assert.ok(head.every((value, index) => Math.abs(value - at(table.exact, index)) <= 2 ** -10 * Math.abs(value)));
      const { tie_word_embeddings: isTied } = JSON.parse(await written.files.text("config.json")) as Record<string, unknown>;
      assert.is(isTied, false);
      const record = JSON.parse(await readFile(join(written.path, "mbs.json"), "utf8")) as {
        tensors: object;
        sizes: Sizes & { bytesAToken: number };
      };
      assert.equal(
        [headTensor, embedding].map((tensor) => Object.hasOwn(record.tensors, tensor)),
        [true, false],
      );
      const [whole, blocks] = record.sizes.parts;
      assert.ok(whole && blocks);
      const own = model.checkpoint.info(embedding).bytes;
      // codes of 4 bits, and scales, zero points or a shape
      assert.ok(whole.bytes > own + (rows * hidden) / 2 && whole.bytes < own + (3 * rows * hidden) / 4, `${whole.bytes}`);
      assert.is(whole.bytes + blocks.bytes, record.sizes.bytes);
      assert.is(record.sizes.bytesAToken, record.sizes.bytes - own);
      await Promise.all([model.close(), written.close()]);
    });
  }

  test(`${format} does not untie a head beside layers that are only pruned`, async () => {
    const model = await openTiny({ dtype: "f16" });
    const pruned = blockLayers(model).map(({ block, site, tensor, summary: { solver, error, damage }, values }) => {
      return { block, site, tensor, summary: { solver, error, damage, sparsity: 0 }, values };
    });
    const problem =
      format === "compressed-tensors" ? "--untie-head: the layers are pruned and have no codes" : "makes no codes, and GPTQ";
    const planned = await planFailure(model, format, { untieHead: true }, { codes: "none" });
    const made = await write(model, pruned, format, { untieHead: true }).catch((error: unknown) => error);
    for (const error of [planned, made]) assert.match(String(error), problem);
    await model.close();
  });

  test(`${format} packs a head of its own, and leaves the embedding`, async () => {
    const model = await openWithHead(false, (values) => values.map((value) => value / 2));
    assert.is(model.embeddings?.isTied, false);
    const grid = { rows: embeddings, columns: hidden, bits: 4, groupSize: 32, symmetric: true, scattered: false };
    const head = randomLayer({ ...grid, tensor: headTensor });
    const table = randomLayer({ ...grid, tensor: embedding });
    const records = [
      ...blockLayers(model),
      layerRecord(head, embeddingsBlock, headSite, model.dtype),
      layerRecord(table, embeddingsBlock, embeddingSite, model.dtype),
    ];
    assert.is(await planFailure(model, format), undefined);
    const untied = await planFailure(model, format, { untieHead: true });
    assert.match(String(untied), "--untie-head: the head is a tensor of its own already");
    warnings.length = 0;
    const written = await write(model, records, format);
    assert.match(warnings.join("\n"), `${embedding} stays as in the source`);
    assert.is(written.checkpoint.has(headTensor), true);
    const packed = await written.checkpoint.readF32(headTensor);
    // scales and values are rounded to f16, half a unit in the last place each
    assert.ok(packed.every((value, index) => Math.abs(value - at(head.exact, index)) <= 2 ** -10 * Math.abs(value)));
    assert.equal(await written.checkpoint.readF32(embedding), await model.checkpoint.readF32(embedding));
    const { quantization_config: config } = JSON.parse(await written.files.text("config.json")) as {
      quantization_config: { lm_head?: boolean; ignore?: string[] };
    };
    assert.equal(
      [config.lm_head, config.ignore?.includes("lm_head")],
      format === "gptq-v2" ? [true, undefined] : [undefined, false],
    );
    await Promise.all([model.close(), written.close()]);
  });
}

test("a head that is stored beside the embedding it repeats gets its values", async () => {
  const model = await openWithHead(true, (values) => values);
  assert.is(model.embeddings?.isTied, true);
  const table = randomLayer({ tensor: embedding, rows: embeddings, columns: hidden, bits: 4, groupSize: 32, symmetric: true });
  const written = await write(model, [layerRecord(table, embeddingsBlock, headSite, model.dtype)], "dense");
  assert.is(written.embeddings?.isTied, true);
  assert.equal(await written.checkpoint.readF32(headTensor), await written.checkpoint.readF32(embedding));
  await Promise.all([model.close(), written.close()]);
});

test.run();
