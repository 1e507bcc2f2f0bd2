import { createSession, floatTensor, floatValues, GraphBuilder, integerTensor } from "@mbs/onnx";
import type { Tensor } from "@mbs/onnx";
import { at, InternalError } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";

async function run(graph: GraphBuilder, feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const session = await createSession(graph.build(), { threads: 1 });
  const outputs = await session.run(feeds);
  await session.release();
  return outputs;
}

test("attributes of every kind, several outputs and a symbolic size", async () => {
  const graph = new GraphBuilder("kinds");
  const x = graph.input("x", "float32", ["T", 4]);
  const [left = "", right = ""] = graph.nodes("Split", [x], 2, { attributes: { axis: 1, num_outputs: 2 } });
  const leaky = graph.node("LeakyRelu", [left], { attributes: { alpha: { float: 0.5 } } });
  const shifted = graph.node("Add", [leaky, graph.constant(floatTensor(Float32Array.of(10, 20), [2]))]);
  const filled = graph.node("ConstantOfShape", [graph.constant(integerTensor([2]))], {
    attributes: { value: { tensor: floatTensor(Float32Array.of(3), [1]) } },
  });
  graph.output("y", shifted, "float32", ["T", 2]);
  graph.output("z", graph.node("Transpose", [right], { attributes: { perm: [1, 0] } }), "float32", [2, "T"]);
  graph.output("filled", filled, "float32");
  for (const rows of [1, 3]) {
    const values = Float32Array.from({ length: rows * 4 }, (_, index) => index - 2);
    const outputs = await run(graph, { x: floatTensor(values, [rows, 4]) });
    assert.equal(outputs["y"]?.dims, [rows, 2]);
    assert.equal([...floatValues(outputs, "y").subarray(0, 2)], [9, 19.5]);
    assert.equal(outputs["z"]?.dims, [2, rows]);
    assert.is(floatValues(outputs, "z")[rows], 1);
    assert.equal([...floatValues(outputs, "filled")], [3, 3]);
  }
});

test("an input, and one value twice, can be outputs", async () => {
  const graph = new GraphBuilder("twice");
  const x = graph.input("x", "float32", ["T"]);
  const doubled = graph.node("Add", [x, x]);
  graph.output("same", x, "float32");
  graph.output("first", doubled, "float32");
  graph.output("second", doubled, "float32");
  graph.output("third", graph.node("Neg", [doubled]), "float32");
  const outputs = await run(graph, { x: floatTensor(Float32Array.of(1, 2), [2]) });
  const values = ["same", "first", "second", "third"].map((name) => [...floatValues(outputs, name)]);
  assert.equal(values, [
    [1, 2],
    [2, 4],
    [2, 4],
    [-2, -4],
  ]);
});

test("com.microsoft operators are at hand", async () => {
  const graph = new GraphBuilder("fused");
  const x = graph.input("x", "float32", ["T"]);
  graph.output("y", graph.node("QuickGelu", [x], { domain: "com.microsoft", attributes: { alpha: { float: 1 } } }), "float32");
  const outputs = await run(graph, { x: floatTensor(Float32Array.of(0, 1), [2]) });
  assert.is(floatValues(outputs, "y")[0], 0);
  assert.ok(Math.abs(at(floatValues(outputs, "y"), 1) - 1 / (1 + Math.exp(-1))) < 1e-6);
});

test("a real number as a plain attribute is refused: it would become an integer", () => {
  const graph = new GraphBuilder("wrong");
  assert.throws(
    () => graph.node("LeakyRelu", ["x"], { attributes: { alpha: 0.5 } }),
    (error: unknown) => error instanceof InternalError,
  );
});

test.run();
