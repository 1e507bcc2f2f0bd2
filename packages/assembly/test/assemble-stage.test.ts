import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { contentAddress, encodeLayers, readFiles, unpackFiles } from "@mbs/artifacts";
import type { LayerRecord, TensorData } from "@mbs/artifacts";
import { at, BadDataError, FailedPreconditionError, InterruptedError, UsageError } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { testContext } from "@mbs/contracts/testing";
import { openModel, readModelRecord } from "@mbs/models";
import type { Model, WeightDtype } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { encodeBrain, encodeHalf, roundTo } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { assemble, formatSize, sizeReport } from "../src/index.ts";

const root = await mkdtemp(join(tmpdir(), "assemble-test-"));
test.after(() => rm(root, { recursive: true }));
let count = 0;
const freshFolder = (): string => join(root, String(count++));

const context = testContext();

/** A layer that sets every weight of a tensor to `value`. */
function constantLayer(model: Model, index: number, site: number, value: number): LayerRecord & { readonly values: TensorData } {
  const { name, width, weights } = at(at(model.blocks, index).sites, site);
  const { tensor, rows } = at(weights, 0);
  const values = new Float32Array(rows * width).fill(value);
  const bits = { f32: values, f16: encodeHalf(values), bf16: encodeBrain(values) }[model.dtype];
  return {
    block: at(model.blocks, index).name,
    site: name,
    tensor,
    summary: { solver: "rtn", error: 0.5, damage: 0.125, sparsity: 0.25 },
    values: { dtype: model.dtype, rows, columns: width, data: new Uint8Array(bits.buffer) },
  };
}

const layerStream = (layers: LayerRecord[], model: string, options = { bits: 3, asymmetric: true }): ArtifactStream =>
  encodeLayers(layers, { model, solver: "rtn", options, order: "natural", weights: { mr: 0.25, en: 0.75 } });

async function run(folder: string, layers: ArtifactStream[], given = context, options = {}): Promise<ArtifactStream> {
  const { files } = await assemble.run({ layers }, { model: folder, ...options }, given);
  assert.ok(files);
  return files;
}

/** Files with the names of their tensors, in order. */
const listFiles = ({ checkpoint }: Model) => checkpoint.files.map(({ file, tensors }) => [file, tensors.map(({ name }) => name)]);

async function tiny(options: Parameters<typeof writeTinyModel>[1]): Promise<{ folder: string; model: Model }> {
  const folder = freshFolder();
  await writeTinyModel(folder, options);
  return { folder, model: await openModel(folder) };
}

for (const [dtype, shards] of [
  ["f16", 1],
  ["bf16", 3],
  ["f32", 2],
] as [WeightDtype, number][]) {
  test(`a ${dtype} model in ${shards} files comes back with the layers' values and everything else as it was`, async () => {
    const { folder, model } = await tiny({ dtype, shards, seed: 9 });
    await writeFile(join(folder, "distribution.json"), "{}");
    await writeFile(join(folder, "LICENSE"), "terms");
    await writeFile(join(folder, "training.log"), "not part of the model");
    const changed = [constantLayer(model, 1, 3, 0.5), constantLayer(model, 0, 0, -0.25)];
    const output = freshFolder();
    await unpackFiles(await run(folder, [layerStream(changed, model.address)]), output, { force: false });
    const names = (await readdir(folder)).filter((name) => name !== "training.log");
    assert.equal((await readdir(output)).sort(), [...names, "README.md", "mbs.json"].sort());
    for (const name of names.filter((name) => !name.endsWith(".safetensors"))) {
      assert.equal(await readFile(join(output, name)), await readFile(join(folder, name)), name);
    }
    assert.equal((await readModelRecord(output))?.files, (await readdir(output)).sort());
    const written = await openModel(output);
    assert.is(written.dtype, dtype);
    assert.is.not(written.address, model.address);
    assert.equal(listFiles(written), listFiles(model));
    for (const { name } of model.checkpoint.list()) {
      const layer = changed.find(({ tensor }) => tensor === name);
      assert.equal(await written.checkpoint.readRaw(name), layer?.values.data ?? (await model.checkpoint.readRaw(name)), name);
    }
    await written.close();
    await model.close();
  });
}

for (const [from, to, shards] of [
  ["f32", "bf16", 2],
  ["f32", "f16", 1],
  ["bf16", "f32", 1],
  ["f16", "f16", 3],
] as [WeightDtype, WeightDtype, number][]) {
  test(`all weights of a ${from} model in ${shards} files are rounded once to ${to} where that is asked for`, async () => {
    const folder = freshFolder();
    await writeTinyModel(folder, { dtype: from, shards, seed: 9 });
    // as older programs wrote it, beside the name that newer ones write
    const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as object;
    await writeFile(join(folder, "config.json"), JSON.stringify({ ...config, torch_dtype: "x", dtype: "x" }));
    const model = await openModel(folder);
    const layers = (): ArtifactStream => layerStream([constantLayer(model, 1, 3, 0.123)], model.address);
    const [output, own] = [freshFolder(), freshFolder()];
    await unpackFiles(await run(folder, [layers()], context, { dtype: to }), output, { force: false });
    await unpackFiles(await run(folder, [layers()]), own, { force: false });
    const [written, before] = [await openModel(output), await openModel(own)];
    assert.is(written.dtype, to);
    assert.equal(listFiles(written), listFiles(model));
    for (const { name, dtype } of written.checkpoint.list()) {
      assert.is(dtype, to);
      assert.equal(await written.checkpoint.readF32(name), roundTo(to, await before.checkpoint.readF32(name)), name);
    }
    const made = JSON.parse(await readFile(join(output, "config.json"), "utf8")) as Record<string, unknown>;
    const name = { f32: "float32", f16: "float16", bf16: "bfloat16" }[to];
    assert.equal([made["dtype"], made["torch_dtype"]], [name, name]);
    const bytes = written.checkpoint.list().reduce((sum, tensor) => sum + tensor.bytes, 0);
    if (shards > 1) {
      const index = JSON.parse(await readFile(join(output, "model.safetensors.index.json"), "utf8")) as {
        metadata: { total_size: number };
      };
      assert.is(index.metadata.total_size, bytes);
    }
    const record = JSON.parse(await readFile(join(output, "mbs.json"), "utf8")) as {
      sizes: { bytes: number; denseBytes: number };
    };
    assert.equal(
      [record.sizes.bytes, record.sizes.denseBytes],
      [bytes, model.checkpoint.list().reduce((sum, tensor) => sum + tensor.bytes, 0)],
    );
    const size = formatSize(await sizeReport(output));
    if (from === to) assert.match(size, /^dense: .* as large; .* bits a weight; no weight is packed\n$/);
    else assert.match(size, /^dense: .* from .*, (1\.9|2\.0)\d times (smaller|larger); .* bits a weight; no weight is packed\n$/);
    for (const opened of [written, before, model]) await opened.close();
  });
}

test("a number that a dtype cannot hold is refused, and so is a dtype of an ONNX model", async () => {
  const { folder, model } = await tiny({ dtype: "f32", seed: 3 });
  const huge = (): ArtifactStream => layerStream([constantLayer(model, 0, 0, 70_000)], model.address);
  await unpackFiles(await run(folder, [huge()], context, { dtype: "bf16" }), freshFolder(), { force: false });
  try {
    await unpackFiles(await run(folder, [huge()], context, { dtype: "f16" }), freshFolder(), { force: false });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, FailedPreconditionError);
    assert.match(
      (error as Error).message,
      /query_key_value.weight has 70000, which is too large for f16; take --dtype bf16 or f32/,
    );
  }
  await model.close();
  const onnx = freshFolder();
  await mkdir(onnx);
  const fixtures = fileURLToPath(new URL("../../models/test/fixtures/", import.meta.url));
  await cp(`${fixtures}onnx/gpt2-no-cache`, onnx, { recursive: true });
  for (const file of ["config.json", "tokenizer.json"]) await cp(`${fixtures}forward/gpt2-f32/${file}`, join(onnx, file));
  await assemble.checkPlan?.({ model: onnx }, { solver: "rtn", codes: "none" });
  try {
    await assemble.checkPlan?.({ model: onnx, dtype: "bf16" }, { solver: "rtn", codes: "none" });
    assert.unreachable();
  } catch (error) {
    assert.instance(error, UsageError);
    assert.match((error as Error).message, "is an ONNX model, whose weights keep the dtypes of its graph; remove --dtype");
  }
});

test("mbs.json says how the model was made, in the same bytes each time", async () => {
  const { folder, model } = await tiny({ seed: 1 });
  const streams = () => [
    layerStream([constantLayer(model, 1, 1, 0)], model.address),
    layerStream([constantLayer(model, 0, 1, 0)], model.address, { bits: 4, asymmetric: false }),
  ];
  const addresses = await Promise.all(streams().map(async (stream) => (await contentAddress(stream)).address));
  let text = "";
  for await (const { path, data } of readFiles(await run(folder, streams())))
    if (path === "mbs.json") text += new TextDecoder().decode(data);
  const summary = { solver: "rtn", error: 0.5, damage: 0.125, sparsity: 0.25 };
  const origin = { solver: "rtn", order: "natural", weights: { en: 0.75, mr: 0.25 } };
  const { sizes, weightFiles, ...record } = JSON.parse(text) as {
    sizes: { parameters: number; denseBytes: number };
    weightFiles: object;
  };
  assert.equal(weightFiles, { "model.safetensors": (await stat(join(folder, "model.safetensors"))).size });
  assert.is(sizes.denseBytes, 2 * sizes.parameters);
  assert.equal(record, {
    version: 1,
    model: model.address,
    source: {},
    sourceBytes: (await stat(join(folder, "model.safetensors"))).size,
    format: "dense",
    files: ["README.md", "config.json", "mbs.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
    layers: [
      { ...origin, address: addresses[0], options: { asymmetric: true, bits: 3 } },
      { ...origin, address: addresses[1], options: { asymmetric: false, bits: 4 } },
    ],
    tensors: {
      "transformer.h.0.self_attention.dense.weight": summary,
      "transformer.h.1.self_attention.dense.weight": summary,
    },
  });
  const [once, twice] = [await contentAddress(await run(folder, streams())), await contentAddress(await run(folder, streams()))];
  assert.is(once.address, twice.address);
  await model.close();
});

test("layers that do not fit the model are refused", async () => {
  const { folder, model } = await tiny({ seed: 2 });
  const layer = constantLayer(model, 0, 0, 1);
  const cases: [LayerRecord[], string, string][] = [
    [[layer], "a".repeat(64), `the layers are of model ${"a".repeat(64)}, the folder is ${model.address}`],
    [[{ ...layer, tensor: "transformer.h.9.x" }], model.address, "layer transformer.h.9.x: the model has no such weight"],
    [[{ ...layer, tensor: "transformer.ln_f.weight" }], model.address, "the model has no such weight"],
    [
      [{ ...layer, values: { ...layer.values, rows: 32, columns: 96 } }],
      model.address,
      "is f16 [32, 96], the model's tensor f16 [96, 32]",
    ],
    [
      [{ ...layer, values: { ...layer.values, dtype: "bf16" } }],
      model.address,
      "is bf16 [96, 32], the model's tensor f16 [96, 32]",
    ],
    [[layer, layer], model.address, "two layers change tensor"],
    [[], model.address, "the layers change no tensor"],
  ];
  for (const [layers, address, message] of cases) {
    try {
      await contentAddress(await run(folder, [layerStream(layers, address)]));
      assert.unreachable(message);
    } catch (error) {
      assert.instance(error, BadDataError, String(error));
      assert.ok((error as Error).message.includes(message), String(error));
    }
  }
  await model.close();
});

test("an abort ends the stream", async () => {
  const { folder, model } = await tiny({ seed: 2 });
  const controller = new AbortController();
  const stream = await run(folder, [layerStream([constantLayer(model, 0, 0, 1)], model.address)], {
    ...context,
    signal: controller.signal,
  });
  controller.abort();
  try {
    await contentAddress(stream);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, InterruptedError);
  }
  await model.close();
});

test.run();
