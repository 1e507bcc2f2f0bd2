import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { at, BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { openModel } from "@mbs/models";
import { writeTinyModel } from "@mbs/models/testing";
import { createSession, floatTensor, floatValues, GraphBuilder, integerTensor } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { scratchLayersOf } from "../src/layers/scratch-layers.ts";
import { roundBlocks } from "../src/onnx/weights/block-rounding.ts";
import { addTokenTable } from "../src/onnx/weights/token-table.ts";
import type { TableStorage } from "../src/onnx/weights/token-table.ts";
import { WeightFiles } from "../src/onnx/weights/weight-files.ts";

const root = await mkdtemp(join(tmpdir(), "token-table-test-"));
test.after(() => rm(root, { recursive: true }));

// Three blocks of 32: an odd number, so that a row of 4-bit zero points ends within a byte.
const hidden = 96;
const embedding = "transformer.word_embeddings.weight";

async function openTiny(dtype: "f32" | "f16" | "bf16", hiddenSize = hidden) {
  const folder = join(root, `${dtype}-${hiddenSize}`);
  await writeTinyModel(folder, { dtype, hiddenSize, heads: 3, blocks: 1, seed: 4 });
  return openModel(folder);
}

/** Rows by token and products of a table, as a graph gives them. */
async function readTable(dtype: "f32" | "f16" | "bf16", storage: TableStorage, tokens: readonly number[], x: Float32Array) {
  const model = await openTiny(dtype);
  const graph = new GraphBuilder("table");
  const files = new WeightFiles("table.onnx");
  const table = addTokenTable(
    { graph, files, model, layers: await scratchLayersOf([], model, []), tensor: embedding },
    storage,
    0,
  );
  graph.output("rows", table.gather(graph.input("tokens", "int64", ["T"])), "float32");
  graph.output("products", table.multiply(graph.input("x", "float32", ["T", hidden])), "float32");
  await writeFile(join(root, "table.onnx"), graph.build());
  for (const name of files.names) await writeFile(join(root, name), files.write(name));
  const session = await createSession(join(root, "table.onnx"), { threads: 1 });
  const outputs = await session.run({ tokens: integerTensor(tokens), x: floatTensor(x, [x.length / hidden, hidden]) });
  await session.release();
  const values = await model.checkpoint.readF32(embedding);
  await model.close();
  return { values, rows: floatValues(outputs, "rows"), products: floatValues(outputs, "products"), bytes: files.bytes };
}

const tokens = [0, 259, 17];
const x = Float32Array.from({ length: 2 * hidden }, (_, index) => ((index * 37) % 64) / 64 - 0.5);

function check(read: Awaited<ReturnType<typeof readTable>>, values: Float32Array, what: string): void {
  const gathered = tokens.flatMap((token) => [...values.subarray(token * hidden, (token + 1) * hidden)]);
  assert.equal([...read.rows], gathered, what);
  const vocabulary = values.length / hidden;
  assert.is(read.products.length, 2 * vocabulary, what);
  const off = read.products.findIndex((found, index) => {
    const [row, token] = [Math.floor(index / vocabulary), index % vocabulary];
    let sum = 0;
    for (let column = 0; column < hidden; column++) sum += at(x, row * hidden + column) * at(values, token * hidden + column);
    // sums of 96 terms in float32, Σ|x·w| below 10: 96 · 2⁻²⁴ · 10 = 6e-5 at worst
    return !(Math.abs(found - sum) < 1e-4);
  });
  assert.is(off, -1, what);
}

test("floats are kept as they are, or in the type asked for", async () => {
  for (const [dtype, storage, bytes] of [
    ["f32", undefined, 4],
    ["f16", undefined, 2],
    ["bf16", undefined, 2],
    ["f16", "f32", 4],
    ["f16", "f16", 2],
  ] as const) {
    const read = await readTable(dtype, storage, tokens, x);
    check(read, read.values, `${dtype} as ${storage}`);
    assert.is(read.bytes, read.values.length * bytes);
  }
  const { values, rows } = await readTable("f32", "f16", tokens, x);
  // below 1 half precision has blocks of 2⁻¹¹ = 4.9e-4
  assert.ok(
    rows.every(
      (value, index) => Math.abs(value - at(values, at(tokens, Math.floor(index / hidden)) * hidden + (index % hidden))) < 5e-4,
    ),
  );
});

test("int8 and int4 give the rounded values to both readers, from the same bytes", async () => {
  for (const [storage, bits, blockSize] of [
    ["int8", 8, 32],
    ["int4", 4, 32],
  ] as const) {
    const read = await readTable("f16", storage, tokens, x);
    const { codes, scales, zeros } = roundBlocks(read.values, blockSize, bits);
    const rounded = Float32Array.from(codes, (code, index) => {
      const block = Math.floor(index / blockSize);
      return (code - at(zeros, block)) * at(scales, block);
    });
    check(read, rounded, storage);
    const error = Math.max(...rounded.map((value, index) => Math.abs(value - at(read.values, index))));
    assert.ok(error <= Math.max(...scales) * 0.51 && error > 0, `${storage}: ${error}`);
    assert.ok(read.bytes < (read.values.length * bits) / 8 + scales.length * 5 + 3 * 4096);
  }
});

test("values beyond f16, and rows that no block divides, are refused", async () => {
  const model = await openTiny("f32", 24);
  const source = {
    graph: new GraphBuilder("refused"),
    files: new WeightFiles("refused.onnx"),
    model,
    layers: await scratchLayersOf([], model, []),
    tensor: embedding,
  };
  assert.throws(
    () => addTokenTable(source, "int4", 0),
    (error: unknown) => error instanceof FailedPreconditionError && error.message.includes("use --embeddings f16"),
  );
  const large = { ...model, checkpoint: { ...model.checkpoint, readRowsF32: () => Promise.resolve(Float32Array.of(65520)) } };
  const files = new WeightFiles("large.onnx");
  addTokenTable({ ...source, files, model: large }, "f16", 0);
  try {
    for await (const piece of files.write("large.onnx_data")) assert.unreachable(`${piece.length} bytes`);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, BadDataError);
    assert.match((error as Error).message, /use --embeddings f32$/);
  }
  await model.close();
});

test.run();
