import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { collect, encodeLayers, layerValues, parseMetadata, readFiles, readLayers, unpackFiles } from "@mbs/artifacts";
import type { LayerRecord } from "@mbs/artifacts";
import { at } from "@mbs/contracts";
import type { ArtifactStream } from "@mbs/contracts";
import { openGgufFile, openModel, runBlocks } from "@mbs/models";
import type { Model } from "@mbs/models";
import { roundTo } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { present } from "../fixtures/present.ts";
import { contextOf, runStage, segmentsFor, stage } from "../fixtures/stage-runs.ts";

const fixtures = fileURLToPath(new URL("../../../models/test/fixtures/gguf/models/", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "mbs-gguf-"));
test.after(() => rm(root, { recursive: true }));

/** Logits of a text, of an encoder its last states. */
async function logitsOf(model: Model, weights?: ReadonlyMap<string, Float32Array>): Promise<Float32Array> {
  const forward = await model.forward({ threads: 1 });
  const tokens = Int32Array.from({ length: 24 }, (_, position) => 3 + ((position * 11) % 29));
  const { inputs } = (await model.passages()).ofSegment(tokens, [0]);
  const states = await runBlocks(model, forward, inputs, weights && { weights });
  const { values } = model.stacks === "encoder" ? states : await forward.logits(states);
  await forward.close();
  return values;
}

async function compress(path: string, options: object) {
  const model = await openModel(path);
  const statistics = await stage("capture", "source", segmentsFor(model), { model: path });
  const factors = await stage("factor", "statistics", statistics, { damping: 0.01 });
  const stream = await stage("compress", "factors", factors, { model: path, solver: "gptq", bits: 4, ...options });
  const metadata = parseMetadata("layers", stream.schema);
  const layers: LayerRecord[] = await collect(readLayers(stream));
  return { model, assembleFrom: () => encodeLayers(layers, metadata) };
}

/** The tokenizers of T5's fixtures have no tokens for spans that are cut out, which capture needs. */
const names = (await readdir(fixtures)).filter((name) => name.endsWith(".gguf") && !name.startsWith("t5"));

for (const name of names) {
  test(`${name} is compressed and written as a folder, which is what was compressed`, async () => {
    const path = `${fixtures}${name}`;
    const { model, assembleFrom } = await compress(path, { groupSize: 8 });
    const folder = join(root, name);
    // exact, where the default rounds to bf16
    const exactly = { model: path, ...(model.kind === "architecture" && model.writtenDtype && { dtype: "f32" }) };
    await unpackFiles(await stage("assemble", "layers", assembleFrom(), exactly), folder, { force: false });
    const isEncoder = model.stacks === "encoder";
    assert.equal((await readdir(folder)).sort(), [
      ...(isEncoder ? ["1_Pooling"] : []),
      "README.md",
      "config.json",
      "generation_config.json",
      "mbs.json",
      "model.safetensors",
      ...(isEncoder ? ["modules.json"] : []),
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
    const written = await openModel(folder);
    assert.is(written.tokenizerAddress, model.tokenizerAddress);
    assert.is(written.dtype, model.dtype);
    const changed = new Map<string, Float32Array>();
    for (const { tensor } of model.blocks.flatMap(({ sites }) => sites.flatMap((site) => site.weights))) {
      changed.set(tensor, await written.readWeight(tensor));
    }
    assert.equal(await logitsOf(written), await logitsOf(model, changed));
    for (const { name: tensor, dtype } of model.checkpoint.list()) {
      if (changed.has(tensor) || dtype === undefined) continue;
      assert.equal(await written.checkpoint.readF32(tensor), await model.checkpoint.readF32(tensor), tensor);
    }
    await written.close();
    await model.close();
  });
}

test("a GGUF file of the same type mix holds the blocks that a solver made, also of embedding and head", async () => {
  const path = `${fixtures}llama-q8.gguf`;
  const model = await openModel(path);
  const made = async (options: object): Promise<readonly [LayerRecord[], () => ReturnType<typeof encodeLayers>]> => {
    const statistics = await stage("capture", "source", segmentsFor(model), { model: path, embeddings: true });
    const factors = await stage("factor", "statistics", statistics, { damping: 0.01, order: "group-aware:256" });
    const stream = await stage("compress", "factors", factors, { model: path, solver: "gptq", typeMix: "Q4_K_M", ...options });
    const metadata = parseMetadata("layers", stream.schema);
    const layers = await collect(readLayers(stream));
    return [layers, () => encodeLayers(layers, metadata)];
  };
  for (const [embeddings, types] of [
    ["on", { "token_embd.weight": "Q5_0", "output.weight": "Q8_0" }],
    ["Q4_1", { "token_embd.weight": "Q4_1", "output.weight": "Q4_1" }],
  ] as const) {
    const [layers, encode] = await made({ embeddings });
    const folder = join(root, `blocks-${embeddings}`);
    const warnings: string[] = [];
    const context = contextOf((line) => warnings.push(line));
    const options = { model: path, format: "gguf", type: "Q4_K_M" };
    await unpackFiles(await runStage("assemble", { layers: [encode()] }, options, context), folder, { force: false });
    const file = await openGgufFile(join(folder, "model.gguf"));
    for (const [name, type] of Object.entries(types)) {
      const stored = file.tensors.find((tensor) => tensor.name === name);
      assert.ok(stored);
      assert.is(stored.type.name, type);
      const bytes = new Uint8Array(stored.end - stored.begin);
      file.readInto(stored, 0, bytes);
      const layer = layers.find(({ site }) => site === (name === "output.weight" ? "head" : "embedding"));
      assert.equal(bytes, layer?.blocks?.data.slice());
    }
    file.close();
    const others = "layers hold blocks of other types, which are written as they are: Q4_1 for token_embd, output";
    assert.is(warnings.includes(others), embeddings !== "on");
  }
  await model.close();
});

/** Of a block whose heads of values share heads of keys: their columns have another order in a file. */
const shared = { path: `${fixtures}qwen35-shared.gguf`, tensor: "model.layers.0.linear_attn.out_proj.weight", head: 64 };

for (const [grid, solver, isMoved] of [
  // a super-block is four heads, which the file has in another order
  ["Q4_K", "gptq", false],
  ["IQ3_S", "gptq", false],
  ["Q6_K", "rtn", false],
  // a head is two blocks
  ["Q4_0", "gptq", true],
  ["MXFP4", "gptq", true],
] as const) {
  test(`columns that a file has in another order are ${solver}'s values, to the bit, in ${grid}`, async () => {
    const { path, tensor, head } = shared;
    const model = await openModel(path);
    const statistics = await stage("capture", "source", segmentsFor(model), { model: path });
    const factors = await stage("factor", "statistics", statistics, { damping: 0.01 });
    // rows of 16 and 24 columns stay as they are, which warnings say
    const stream = await runStage("compress", { factors: [factors] }, { model: path, solver, grid });
    const metadata = parseMetadata("layers", stream.schema);
    const layers: LayerRecord[] = await collect(readLayers(stream));
    const layer = present(
      layers.find((own) => own.tensor === tensor),
      tensor,
    );
    assert.is(layer.summary.grid, grid);
    assert.is(layer.blockColumns === undefined, isMoved);
    const folder = join(root, `shared-${grid}`);
    const options = { model: path, format: "gguf", type: "F16" };
    const files = await runStage("assemble", { layers: [encodeLayers(layers, metadata)] }, options);
    await unpackFiles(files, folder, { force: false });
    const written = await openModel(folder);
    const file = await openGgufFile(join(folder, "model.gguf"));
    const stored = present(
      file.tensors.find(({ name }) => name === "blk.0.ssm_out.weight"),
      "ssm_out",
    );
    assert.is(stored.type.name, grid);
    const values = await written.readWeight(tensor);
    assert.equal(values, layerValues(layer));
    // heads 0 and 1 share one of keys, as 2 and 3 do: the file has 0, 2, 1, 3
    const bytes = new Uint8Array(stored.end - stored.begin);
    file.readInto(stored, 0, bytes);
    const inFile = new Float32Array(values.length);
    present(stored.type.decode, "decoder")(bytes, inFile);
    const heads = [0, 2, 1, 3].flatMap((own) => [...values.subarray(own * head, (own + 1) * head)]);
    assert.equal([...inFile.subarray(0, 4 * head)], heads);
    const solved = new Set(layers.map((own) => own.tensor));
    for (const { name } of model.checkpoint.list()) {
      if (!solved.has(name)) assert.equal(await written.checkpoint.readF32(name), await model.checkpoint.readF32(name), name);
    }
    file.close();
    await written.close();
    await model.close();
  });
}

test("columns that a file has in another order stay where they are in blocks that no GGUF file has", async () => {
  const { path, tensor } = shared;
  const model = await openModel(path);
  const options = { model: path, solver: "rtn", grid: "NVFP4", withoutFactors: true };
  const layers = await collect(readLayers(await runStage("compress", {}, options)));
  const layer = present(
    layers.find((own) => own.tensor === tensor),
    tensor,
  );
  assert.equal([layer.summary.grid, layer.blockColumns], ["NVFP4", undefined]);
  await model.close();
});

test("rows that were solved apart, and joined, have the blocks of the whole in the file's order", async () => {
  const { path, tensor } = shared;
  const model = await openModel(path);
  const made = async (rows?: string): Promise<ArtifactStream> => {
    const statistics = await stage("capture", "source", segmentsFor(model), { model: path });
    const factors = await stage("factor", "statistics", statistics, { damping: 0.01 });
    return runStage("compress", { factors: [factors] }, { model: path, solver: "gptq", grid: "Q4_K", ...(rows && { rows }) });
  };
  const layerOf = async (stream: ArtifactStream): Promise<LayerRecord | undefined> =>
    (await collect(readLayers(stream))).find((own) => own.tensor === tensor);
  const joined = await layerOf(await runStage("join-layers", { layers: [await made("1/2"), await made("2/2")] }, {}));
  const { blocks, blockColumns, values } = present(await layerOf(await made()), tensor);
  assert.equal([joined?.blocks, joined?.blockColumns, joined?.values], [blocks, blockColumns, values]);
  await model.close();
});

test("blocks in the order of GGUF's columns are refused by compressed-tensors", async () => {
  const { path, tensor } = shared;
  const model = await openModel(path);
  const options = { model: path, solver: "rtn", grid: "MXFP4", withoutFactors: true };
  const stream = await runStage("compress", {}, options);
  const metadata = parseMetadata("layers", stream.schema);
  const layers = await collect(readLayers(stream));
  const order = new Uint8Array(Int32Array.from({ length: 256 }, (_, column) => column).buffer);
  const blockColumns = { dtype: "i32", rows: 1, columns: 256, data: order } as const;
  const ordered = layers.map((own) => (own.tensor === tensor ? { ...own, blockColumns } : own));
  const files = await runStage(
    "assemble",
    { layers: [encodeLayers(ordered, metadata)] },
    { model: path, format: "compressed-tensors" },
  );
  await collect(readFiles(files)).then(
    () => assert.unreachable("it was written"),
    (error: Error) => assert.match(error.message, `${tensor}: its blocks are of columns in the order of GGUF files`),
  );
  await model.close();
});

test("what is not packed of a quantised file is bf16 unless another dtype is asked for, in every format of safetensors", async () => {
  const path = `${fixtures}llama-q8.gguf`;
  const { model, assembleFrom } = await compress(path, { groupSize: 32, symmetric: true });
  const packed = new Set(
    model.blocks.flatMap(({ sites }) => sites.flatMap(({ weights }) => weights.map(({ tensor }) => tensor))),
  );
  for (const format of ["dense", "gptq", "gptq-v2", "compressed-tensors"]) {
    for (const dtype of [undefined, "f32", "f16"] as const) {
      const folder = join(root, `q8-${format}-${dtype ?? "own"}`);
      const options = { model: path, format, ...(dtype && { dtype }) };
      await unpackFiles(await stage("assemble", "layers", assembleFrom(), options, /./), folder, { force: false });
      const written = await openModel(folder);
      const expected = dtype ?? "bf16";
      for (const { name } of model.checkpoint.list()) {
        if (packed.has(name)) continue;
        assert.is(written.checkpoint.info(name).dtype, expected, `${format} ${name}`);
        const rounded = roundTo(expected, await model.checkpoint.readF32(name));
        assert.equal(await written.checkpoint.readF32(name), rounded, `${format} ${name}`);
      }
      const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as { dtype: string };
      assert.is(config.dtype, { f32: "float32", f16: "float16", bf16: "bfloat16" }[expected]);
      await written.close();
    }
  }
  await model.close();
});

for (const format of ["gptq", "compressed-tensors", "onnx"]) {
  test(`a quantised GGUF file is written as ${format}`, async () => {
    const path = `${fixtures}llama-q8.gguf`;
    const symmetric = format === "compressed-tensors";
    const { model, assembleFrom } = await compress(path, {
      groupSize: 32,
      symmetric,
      ...(format === "gptq" && { minZeroPoint: 1 }),
    });
    const dense = join(root, `${format}-dense`);
    // the files of ONNX hold float32
    const like = { model: path, ...(format === "onnx" && { dtype: "f32" }) };
    await unpackFiles(await stage("assemble", "layers", assembleFrom(), like), dense, { force: false });
    const folder = join(root, format);
    const files = await stage("assemble", "layers", assembleFrom(), { model: path, format }, /./);
    await unpackFiles(files, folder, { force: false });
    const [packed, whole] = [await openModel(folder), await openModel(dense)];
    const [found, expected] = [await logitsOf(packed), await logitsOf(whole)];
    const furthest = Math.max(...found.map((value, index) => Math.abs(value - at(expected, index))));
    // scales are those of bf16, which every format holds
    assert.ok(furthest < 1e-4, `logits differ by ${furthest}`);
    const config = JSON.parse(await readFile(join(folder, "config.json"), "utf8")) as { model_type: string };
    assert.is(config.model_type, "llama");
    assert.ok((await stat(join(folder, "tokenizer.json"))).size > 0);
    for (const opened of [packed, whole, model]) await opened.close();
  });
}

test.run();
