import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeLayers, headSite, unpackFiles, vocabularyStep } from "@mbs/artifacts";
import type { LayerRecord } from "@mbs/artifacts";
import { at, FailedPreconditionError } from "@mbs/contracts";
import type { StageContext } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import type { Model } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { floatValues } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble } from "../src/index.ts";
import { layerRecord, randomLayer } from "./fixtures/random-layer.ts";
import { openDecoder, ownLogits, randomLayers, writeDecoder } from "./fixtures/written-decoder.ts";

const root = await mkdtemp(join(tmpdir(), "vocabulary-formats-test-"));
test.after(() => rm(root, { recursive: true }));
let count = 0;
const newFolder = (): string => join(root, String(count++));

const warnings: string[] = [];
const context: StageContext = {
  signal: new AbortController().signal,
  progress: () => undefined,
  warn: (message) => warnings.push(message),
  threads: 1,
};

const hidden = 64;
const embedding = "transformer.word_embeddings.weight";

async function openTiny(): Promise<Model> {
  const folder = newFolder();
  await writeTinyModel(folder, { dtype: "f32", hiddenSize: hidden, heads: 4, seed: 5 });
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
  return { record: layerRecord(layer, vocabularyStep, headSite, model.dtype), exact: layer.exact };
}

async function write(model: Model, records: readonly LayerRecord[], format: string): Promise<Model> {
  const folder = newFolder();
  const metadata = { model: model.address, solver: "gptq", options: {}, order: "natural", weights: {} };
  const { files } = await assemble.run({ layers: [encodeLayers(records, metadata)] }, { model: model.path, format }, context);
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

for (const format of ["gptq-v2", "compressed-tensors"]) {
  test(`${format} leaves a tied embedding as it is and says what else it would cost; a plan refuses it`, async () => {
    const model = await openTiny();
    const blocks = model.steps.flatMap(({ name, sites }) =>
      sites.flatMap(({ name: site, width, weights }) =>
        weights.map(({ tensor, rows }) => {
          const options = { tensor, rows, columns: width, bits: 4, groupSize: 32, symmetric: true, scattered: false };
          return layerRecord(randomLayer(options), name, site, model.dtype);
        }),
      ),
    );
    warnings.length = 0;
    const written = await write(model, [...blocks, tableLayer(model, 4).record], format);
    assert.equal(await written.checkpoint.readF32(embedding), await model.checkpoint.readF32(embedding));
    assert.ok(warnings.some((line) => line.startsWith(`${embedding} stay`) || line.startsWith(`${embedding} stays`)));
    assert.match(warnings.join("\n"), /apart they would take 66\.\d kB more/);
    const codes = { bits: 4, groupSize: 32, scattered: false };
    assert.ok(assemble.checkPlan);
    const plan = { solver: "gptq", codes, vocabulary: codes };
    const error = await assemble.checkPlan({ model: model.path, format }, plan).then(
      () => undefined,
      (caught: unknown) => caught,
    );
    assert.instance(error, FailedPreconditionError);
    assert.match(String(error), "compress without --vocabulary");
    await assemble.checkPlan({ model: model.path, format: "onnx" }, plan);
    await Promise.all([model.close(), written.close()]);
  });
}

test.run();
