import { InternalError } from "@mbs/contracts";
import { createSession, floatTensor, floatValues, GraphBuilder } from "@mbs/onnx";
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

test.run();
