import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BadDataError, InternalError } from "@mbs/contracts";
import { createSession, floatTensor, floatValues, GraphBuilder, integerTensor } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";

function product(): GraphBuilder {
  const graph = new GraphBuilder("product");
  const x = graph.input("x", "float32", ["M", "K"]);
  const y = graph.input("y", "float32", ["K", "N"]);
  graph.output("z", graph.node("MatMul", [x, y], { name: "the-product" }), "float32", ["M", "N"]);
  return graph;
}

async function failure(work: () => Promise<unknown>): Promise<InternalError> {
  try {
    await work();
  } catch (error) {
    if (error instanceof InternalError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

test("an operator that does not exist is named", async () => {
  const graph = new GraphBuilder("unknown");
  graph.output("y", graph.node("Nope", [graph.input("x", "float32", ["T"])], { name: "odd-one" }), "float32");
  const error = await failure(() => createSession(graph.build(), { threads: 1 }));
  assert.is(error.facts["node"], "odd-one");
  assert.not.match(error.message, /\n/);
});

test("a node that fails while running is named", async () => {
  const session = await createSession(product().build(), { threads: 1 });
  const x = floatTensor(new Float32Array(6), [2, 3]);
  const error = await failure(() => session.run({ x, y: x }));
  assert.is(error.facts["node"], "the-product");
  await session.release();
});

test("bytes that are no model", async () => {
  const error = await failure(() => createSession(Uint8Array.of(1, 2, 3), { threads: 1 }));
  assert.is(error.tag, "internal");
});

test("an input that is missing", async () => {
  const session = await createSession(product().build(), { threads: 1 });
  const error = await failure(() => session.run({ x: floatTensor(new Float32Array(4), [2, 2]) }));
  assert.match(error.message, /y/);
  await session.release();
});

test("values that do not fit their shape are the engine's error, as input and as output", async () => {
  const session = await createSession(product().build(), { threads: 1 });
  const x = floatTensor(new Float32Array(4), [2, 2]);
  const wrong = floatTensor(new Float32Array(3), [2, 2]);
  assert.match((await failure(() => session.run({ x, y: wrong }))).message, /^ONNX Runtime could not run: /);
  assert.match((await failure(() => session.run({ x, y: x }, { z: wrong }))).message, /^ONNX Runtime could not run: /);
  await session.release();
});

test("inputs may be views, outputs may be given", async () => {
  const session = await createSession(product().build(), { threads: 1 });
  const memory = Float32Array.from({ length: 9 }, (_, index) => index);
  const taken = new Float32Array(4);
  const view = floatTensor(memory.subarray(1, 5), [2, 2]);
  const outputs = await session.run({ x: view, y: view }, { z: floatTensor(taken, [2, 2]) });
  assert.equal([...taken], [7, 10, 15, 22]);
  assert.equal([...floatValues(outputs, "z")], [7, 10, 15, 22]);
  await session.release();
});

test("more memory than the machine has is bad data with the node and the remedy, and no long list", async () => {
  const graph = new GraphBuilder("huge");
  const x = graph.input("x", "float32", [1]);
  const sides = graph.input("sides", "int64", [1]);
  graph.output("y", graph.node("Expand", [x, sides], { name: "the-expansion" }), "float32");
  const session = await createSession(graph.build(), { threads: 1 });
  const feeds = { x: floatTensor(Float32Array.of(1), [1]), sides: integerTensor([2 ** 50], [1]) };
  try {
    await session.run(feeds);
    assert.unreachable("it ran");
  } catch (error) {
    assert.instance(error, BadDataError, String(error));
    assert.match((error as Error).message, /more memory at node the-expansion than .* this machine has .*; take a shorter/);
  }
  await session.release();
});

test("a model with its weights in a file beside it is loaded from its path, and a missing weight file is an error", async () => {
  const folder = await mkdtemp(join(tmpdir(), "session-test-"));
  const graph = new GraphBuilder("beside");
  const x = graph.input("x", "float32", [2]);
  const shared = { location: "weights.bin", dims: [2] };
  // 1 and -2 as bfloat16 lie behind 0.5 and 4 as float32
  const single = graph.external({ ...shared, type: "float32", offset: 0, length: 8 });
  const brain = graph.external({ ...shared, type: "bfloat16", offset: 8, length: 4 });
  const cast = graph.node("Cast", [brain], { attributes: { to: 1 } });
  graph.output("y", graph.node("Mul", [graph.node("Add", [x, cast]), single]), "float32");
  await writeFile(join(folder, "model.onnx"), graph.build());
  assert.is((await failure(() => createSession(join(folder, "model.onnx"), { threads: 1 }))).tag, "internal");
  await writeFile(join(folder, "weights.bin"), Uint8Array.of(0, 0, 0, 0x3f, 0, 0, 0x80, 0x40, 0x80, 0x3f, 0, 0xc0));
  const session = await createSession(join(folder, "model.onnx"), { threads: 1 });
  const outputs = await session.run({ x: floatTensor(Float32Array.of(3, 3), [2]) });
  assert.equal([...floatValues(outputs, "y")], [2, 4]);
  await session.release();
  await rm(folder, { recursive: true });
});

test.run();
