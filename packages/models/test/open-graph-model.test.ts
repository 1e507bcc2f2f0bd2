import { createHash } from "node:crypto";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { at, BadDataError, UsageError } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import { changedGraph, readGraphFile } from "@mbs/onnx";
import { generate, openModel } from "../src/index.ts";
import type { Forward, GraphModel, Model } from "../src/index.ts";
import { followValue } from "../src/onnx-model/data-flow.ts";
import type { GraphNode } from "@mbs/onnx";
import { encodeMessage } from "../../onnx/src/onnx-messages.ts";
import type { TensorMessage } from "../../onnx/src/onnx-messages.ts";

const fixtures = fileURLToPath(new URL("fixtures/", import.meta.url));
const root = await mkdtemp(join(tmpdir(), "graph-model-test-"));
test.after(() => rm(root, { recursive: true }));
let count = 0;

async function exported(name: string, twin: string): Promise<string> {
  const folder = join(root, `${name}-${count++}`);
  await mkdir(folder);
  await cp(`${fixtures}onnx/${name}`, folder, { recursive: true });
  for (const file of ["config.json", "tokenizer.json"]) await cp(`${fixtures}forward/${twin}/${file}`, join(folder, file));
  return folder;
}

async function openGraph(folder: string): Promise<GraphModel> {
  const model = await openModel(folder);
  return model.kind === "graph" ? model : (assert.unreachable("no graph") as never);
}

const node = (operator: string, inputs: string[], ...outputs: string[]): GraphNode => ({
  name: outputs[0] ?? "",
  operator,
  inputs,
  outputs,
  message: { name: "", opType: operator, domain: "", input: inputs, output: outputs, attribute: [] },
  span: { offset: 0, length: 0 },
});

test("a graph can be cut where everything flows through one value, and a shape is no flow", () => {
  const nodes = [
    node("Shape", ["x"], "shape"),
    node("Norm", ["x"], "normed"),
    node("Split", ["normed"], "query", "key"),
    node("Product", ["query", "key"], "attended"),
    node("Other", ["mask"], "unrelated"),
    node("Add", ["x", "attended"], "middle"),
    node("Reshape", ["middle", "shape"], "shaped"),
    node("Side", ["shaped"], "unused"),
    node("Norm", ["shaped"], "normed2"),
    node("Add", ["shaped", "normed2"], "end"),
  ];
  const { cuts, nodes: between, segmentOf, dependent } = followValue(nodes, "x", "end");
  assert.equal(cuts, ["x", "middle", "shaped", "end"]);
  assert.equal(
    between.map((found) => segmentOf.get(found)),
    [0, 0, 0, 0, 1, 2, 2],
  );
  assert.equal([dependent.has("shape"), dependent.has("unused"), dependent.has("unrelated")], [false, true, false]);
});

const outlineOf = ({ blocks }: Model) =>
  blocks.map(({ name, sites }) => [
    name,
    ...sites.map((site) => `${site.name} ${site.width}: ${site.weights.map(({ rows }) => rows).join(" ")}`),
  ]);

test("blocks and sites are found by the names of nodes and tensors, and without names by the flow", async () => {
  const bloom = await openGraph(await exported("bloom-cache-external", "plain-f32"));
  const sites = [
    "self_attention.query_key_value 16: 48",
    "self_attention.dense 16: 16",
    "mlp.dense_h_to_4h 16: 64",
    "mlp.dense_4h_to_h 64: 16",
  ];
  assert.equal(outlineOf(bloom), [
    ["h.0", ...sites],
    ["h.1", ...sites],
  ]);
  assert.equal(bloom.notes, []);
  assert.equal([bloom.architecture, bloom.dtype, bloom.hiddenSize, bloom.vocabularySize], ["bloom", "f32", 16, 64]);

  const nameless = await openGraph(await exported("llama-nameless-external", "llama-grouped-f32"));
  const [attention, mlp] = [
    ["linear-1 16: 16 8 8", "linear-2 16: 16"],
    ["linear-1 16: 24 24", "linear-2 24: 16"],
  ];
  assert.equal(outlineOf(nameless), [
    ["part.0", ...attention],
    ["part.1", ...mlp],
    ["part.2", ...attention],
    ["part.3", ...mlp],
  ]);
  assert.match(nameless.notes.join(), /cut into 4 blocks, wherever all data flows through one value/);
  for (const model of [bloom, nameless]) await model.close();
});

/** Embeds texts and runs all blocks. */
async function run(model: Model, forward: Forward, texts: readonly Int32Array[]): Promise<Matrix> {
  const embedded = await Promise.all(texts.map((tokens) => forward.embed(tokens)));
  const columns = model.hiddenSize;
  let states: Matrix = {
    rows: embedded.reduce((sum, { rows }) => sum + rows, 0),
    columns,
    values: Float32Array.from(embedded.flatMap(({ values }) => [...values])),
  };
  for (const index of model.blocks.keys()) states = await forward.block(index, states, { batch: texts.length });
  return states;
}

const apart = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  assert.is(a.length, b.length);
  return Array.from(a).reduce((most, value, index) => Math.max(most, Math.abs(value - at(b, index))), 0);
};

// √(10 · 1024) · 2⁻²⁴ of values of up to 3 is 2e-5: some 10 products with sums of at most 1024 terms, added in other orders.
const rounding = 1e-4;

for (const [name, twin, tolerance] of [
  ["bloom-cache-external", "plain-f32", rounding],
  // The export rounds rotary tables, and each product, to half precision: some 10 of them, by 2⁻¹¹ of values of up to 3.
  ["qwen2-cache-f16", "qwen2-tied-f16", 3e-2],
  ["bloom-merged", "twelve-heads-f16", rounding],
  ["gpt2-no-cache", "gpt2-f32", rounding],
  ["llama-nameless-external", "llama-grouped-f32", rounding],
] as const) {
  test(`${name}: states, logits and losses of a batch are those of the safetensors model`, async () => {
    const models = [await openModel(`${fixtures}forward/${twin}`), await openModel(await exported(name, twin))];
    const texts = [0, 1, 2].map((text) => Int32Array.from({ length: 21 }, (_, at) => (text * 5 + at * at + 3 * at) % 64));
    const found = await Promise.all(
      models.map(async (model) => {
        const forward = await model.forward({ threads: 1 });
        const states = await run(model, forward, texts);
        const tokens = Int32Array.from(texts.flatMap((text) => [...text]));
        const results = {
          states: states.values,
          logits: (await forward.logits(states)).values,
          losses: await forward.score(states, tokens, 3),
        };
        await forward.close();
        return results;
      }),
    );
    const [expected, own] = [at(found, 0), at(found, 1)];
    for (const key of ["states", "logits", "losses"] as const) {
      const most = apart(own[key], expected[key]);
      assert.ok(most < tolerance, `${key}: ${most}`);
    }
    for (const model of models) await model.close();
  });
}

test("weights given to a block replace the graph's, as [rows, width]", async () => {
  const models = [await openModel(`${fixtures}forward/gpt2-f32`), await openModel(await exported("gpt2-no-cache", "gpt2-f32"))];
  const found = await Promise.all(
    models.map(async (model) => {
      const forward = await model.forward({ threads: 1 });
      const states = await forward.embed(Int32Array.of(5, 9, 33, 2));
      const weight = at(at(at(model.blocks, 0).sites, 2).weights, 0);
      const values = (await model.readWeight(weight.tensor)).map((value, index) => (index % 3 === 0 ? 0 : value));
      const { values: given } = await forward.block(0, states, { weights: new Map([[weight.tensor, values]]) });
      const { values: plain } = await forward.block(0, states);
      await forward.close();
      await model.close();
      return { given, plain };
    }),
  );
  const [expected, own] = [at(found, 0), at(found, 1)];
  assert.ok(apart(own.given, expected.given) < rounding);
  assert.ok(apart(own.given, own.plain) > 1e-2, "the given weight made no difference");
});

test("a text is continued as by the safetensors model", async () => {
  const models = [
    await openModel(`${fixtures}forward/plain-f32`),
    await openModel(await exported("bloom-cache-external", "plain-f32")),
  ];
  const [expected, found] = await Promise.all(models.map((model) => generate(model, "ABC", 6, { threads: 1 })));
  assert.is(found, expected);
  for (const model of models) {
    const empty = await generate(model, "", 6, { threads: 1 }).catch((error: unknown) => error);
    assert.instance(empty, UsageError, String(empty));
    assert.match((empty as Error).message, /no token to continue; give at least a letter/);
  }
  for (const model of models) await model.close();
});

/** Puts other fields in the message of one tensor. */
async function changeTensor(file: string, name: string, change: Partial<TensorMessage>): Promise<void> {
  const bytes = await readFile(file);
  const read = (offset: number, length: number): Uint8Array => bytes.subarray(offset, offset + length);
  const graph = readGraphFile({ path: file, size: bytes.length, read });
  const { message } = graph.tensors.get(name) ?? (assert.unreachable(name) as never);
  const tensors = [encodeMessage("TensorProto", { ...message, ...change })];
  const none = { nodes: new Map(), dropped: new Set<string>(), domains: new Map() };
  await writeFile(file, Buffer.concat([...changedGraph(graph, { ...none, moved: new Set([name]), tensors })]));
}

async function refusal(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
  } catch (error) {
    assert.instance(error, BadDataError, String(error));
    return (error as Error).message;
  }
  return assert.unreachable("nothing was refused") as never;
}

test("a graph whose states are no floats is refused with the value's name", async () => {
  const folder = await exported("llama-nameless-external", "llama-grouped-f32");
  // read as whole numbers, the table is no weight
  await changeTensor(join(folder, "model.onnx"), "tensor_0", { dataType: 6 });
  const model = await openModel(folder);
  const forward = await model.forward({ threads: 1 });
  assert.match(
    await refusal(() => forward.embed(Int32Array.of(1, 2, 3, 4, 5, 6), 2)),
    /embedding comes out as int32 of \[2, 3, 16\], where float32 of \[6, 16\] is wanted; export the model again/,
  );
  await forward.close();
  await model.close();
});

test("a text beyond the positions of a graph is refused with both lengths", async () => {
  const folder = await exported("gpt2-no-cache", "gpt2-f32");
  const model = await openModel(folder);
  const forward = await model.forward({ threads: 1 });
  await forward.embed(new Int32Array(320).fill(3));
  assert.match(
    await refusal(() => forward.embed(new Int32Array(321).fill(3))),
    /decoder_model\.onnx cannot read texts of 321 tokens: it was made for 320; take --length 320 or less/,
  );
  await forward.close();
  await model.close();
});

test("external data is in a file of that name with that checksum, or refused", async () => {
  const folder = await exported("llama-nameless-external", "llama-grouped-f32");
  const file = join(folder, "model.onnx");
  const whole = await readFile(file);
  const digest = createHash("sha1")
    .update(await readFile(join(folder, "model.onnx_data")))
    .digest("hex");
  await symlink("ring", join(folder, "ring"));
  const place = { location: "model.onnx_data", offset: "0" };
  const open = async (changes: Readonly<Record<string, string>>): Promise<void> => {
    await writeFile(file, whole);
    const externalData = Object.entries({ ...place, ...changes }).map(([key, value]) => ({ key, value }));
    await changeTensor(file, "tensor_0", { dataLocation: 1, externalData });
    await (await openModel(folder)).close();
  };
  for (const [changes, message] of [
    [{ location: "x".repeat(5000) }, /tensor_0 has its external data in "x{200}", which is missing/],
    [{ location: `${"x".repeat(300)}/y` }, /which is missing/],
    [{ location: "model.onnx_data/" }, /its external data at "model\.onnx_data\/", which is no path to a file below the model's/],
    [{ location: "model.onnx_data/x" }, /"model\.onnx_data\/x", which is missing/],
    [{ location: "ring" }, /"ring", which is missing/],
    [{ checksum: "x" }, /tensor_0 has external data with the checksum "x", no SHA-1 of 40 hex digits; take the model/],
    [
      { checksum: digest.replace(/./, (first) => (first === "0" ? "1" : "0")) },
      /has the SHA-1 [0-9a-f]{40}, where tensor tensor_0 names/,
    ],
  ] as const) {
    assert.match(await refusal(() => open(changes)), message);
  }
  await open({ checksum: digest });
  await open({ checksum: digest.toUpperCase() });
});

const addressOf = async (folder: string): Promise<string> => {
  const model = await openModel(folder);
  await model.close();
  return model.address;
};

test("the address depends on graph, tensors, configuration and tokenizer", async () => {
  const [name, twin] = ["bloom-cache-external", "plain-f32"];
  const address = await addressOf(await exported(name, twin));
  assert.is(await addressOf(await exported(name, twin)), address);
  for (const file of ["onnx/model.onnx_data", "onnx/model.onnx", "config.json", "tokenizer.json"]) {
    const folder = await exported(name, twin);
    const bytes = await readFile(join(folder, file));
    // in the graph, a letter of its producer's name
    const changed = file === "onnx/model.onnx" ? bytes.indexOf("pytorch") : bytes.length - 1;
    if (file.endsWith("json")) await writeFile(join(folder, file), `${bytes.toString()} `);
    else {
      bytes[changed] = at(bytes, changed) ^ 1;
      await writeFile(join(folder, file), bytes);
    }
    assert.is.not(await addressOf(folder), address, file);
  }
});

test("safetensors come first where a folder has both", async () => {
  const folder = await exported("bloom-cache-external", "plain-f32");
  await cp(`${fixtures}forward/plain-f32/model.safetensors`, join(folder, "model.safetensors"));
  const model = await openModel(folder);
  assert.is(model.kind, "architecture");
  await model.close();
});

test.run();
