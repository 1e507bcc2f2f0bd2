import { test } from "uvu";
import * as assert from "uvu/assert";
import { at, BadDataError } from "@mbs/contracts";
import {
  changedGraph,
  createSession,
  cutSubgraph,
  floatTensor,
  floatValues,
  GraphBuilder,
  readGraphFile,
  stoppedValues,
} from "../src/index.ts";
import type { ByteSource, GraphFile, GraphTensor } from "../src/index.ts";
import { encodeMessage, encodeModel } from "../src/onnx-messages.ts";
import type { NodeMessage } from "../src/onnx-messages.ts";

const sourceOf = (bytes: Uint8Array): ByteSource => ({
  path: "model.onnx",
  size: bytes.length,
  read: (offset, length) => bytes.slice(offset, offset + length),
});

const valuesOf =
  (graph: GraphFile) =>
  (tensor: GraphTensor): Promise<Uint8Array> => {
    const { offset, length } = tensor.inline ?? { offset: 0, length: 0 };
    return Promise.resolve(graph.source.read(offset, length));
  };

const width = 512;
const ramp = Float32Array.from({ length: width }, (_, index) => index);

/** y = max(x, 0) · ramp + length of x */
function sample(): Uint8Array {
  const builder = new GraphBuilder("sample");
  const x = builder.input("x", "float32", ["T", width]);
  const positive = builder.node("Relu", [x], { name: "positive" });
  const scaled = builder.node("Mul", [positive, builder.constant(floatTensor(ramp, [width]), "ramp")], { name: "scaled" });
  const rows = builder.node("Shape", [positive], { name: "rows", attributes: { start: 0, end: 1 } });
  const count = builder.node("Cast", [rows], { attributes: { to: 1 } });
  builder.output("y", builder.node("Add", [scaled, count]), "float32", ["T", width]);
  return builder.build();
}

test("a model's file gives nodes, inputs and outputs, and where the values of large tensors are", () => {
  const bytes = sample();
  const graph = readGraphFile(sourceOf(bytes));
  assert.equal(
    graph.nodes.map(({ operator, inputs }) => [operator, inputs.length]),
    [
      ["Relu", 1],
      ["Mul", 2],
      ["Shape", 1],
      ["Cast", 1],
      ["Add", 2],
    ],
  );
  assert.equal(graph.inputs, [{ name: "x", type: 1, dims: ["T", width] }]);
  const found = graph.tensors.get("ramp");
  assert.equal(found?.dims, [width]);
  assert.is(found?.message.rawData?.length ?? 0, 0);
  const at = found?.inline?.offset ?? 0;
  assert.equal(new Float32Array(Uint8Array.from(bytes.subarray(at, at + 4 * width)).buffer), ramp);
});

test("a file cut at any byte is refused with the byte", () => {
  const bytes = sample();
  // without its last operator set, which no node is of, the model is whole
  const whole = readGraphFile(sourceOf(bytes)).modelFields.at(-1)?.span.offset;
  for (let length = 0; length < bytes.length; length += length < 200 || length > bytes.length - 400 ? 1 : 37) {
    if (length === whole) continue;
    try {
      readGraphFile(sourceOf(bytes.subarray(0, length)));
      assert.unreachable(`${length} bytes were read as a model`);
    } catch (error) {
      assert.instance(error, BadDataError, `${length} bytes: ${String(error)}`);
    }
  }
});

test("what a file changed in any byte says is read or refused, and never crashes", () => {
  const bytes = sample();
  let refused = 0;
  for (let index = 0; index < bytes.length; index += index < 200 || index > bytes.length - 700 ? 1 : 61) {
    const changed = bytes.slice();
    changed[index] = at(bytes, index) ^ 0xff;
    try {
      readGraphFile(sourceOf(changed));
    } catch (error) {
      assert.instance(error, BadDataError, `byte ${index}: ${String(error)}`);
      refused += 1;
    }
  }
  assert.ok(refused > 100, `${refused} refused`);
});

const whole = (name: string, dims: readonly number[]) => ({ name, dims, dataType: 7, rawData: new Uint8Array(8) });

/** A model of one Gather, whose parts are given. */
const gather = (parts: {
  readonly table?: readonly number[];
  readonly constant?: readonly number[];
  readonly input?: readonly number[];
  readonly attribute?: NodeMessage["attribute"];
  /** A node of the graph that the choice has. */
  readonly inside?: NodeMessage;
}): ByteSource => {
  const dim = (parts.input ?? [1]).map((dimValue) => ({ dimValue }));
  const inner = {
    name: "inner",
    node: parts.inside ? [parts.inside] : [],
    initializer: [whole("deep", parts.constant ?? [1])],
    input: [],
    output: [{ name: "deep" }],
  };
  return sourceOf(
    encodeModel({
      irVersion: 8,
      producerName: "test",
      opsetImport: [{ domain: "", version: 17 }],
      graph: {
        name: "gather",
        initializer: [whole("table", parts.table ?? [1])],
        input: [{ name: "x", type: { tensorType: { elemType: 7, shape: { dim } } } }],
        output: [{ name: "z" }],
        node: [
          { name: "", opType: "Gather", domain: "", input: ["table", "x"], output: ["y"], attribute: parts.attribute ?? [] },
          {
            name: "choice",
            opType: "If",
            domain: "",
            input: ["y"],
            output: ["z"],
            attribute: [
              { name: "then_branch", type: 5, g: inner },
              { name: "else_branch", type: 5, g: inner },
            ],
          },
        ],
      },
    }),
  );
};

test("shapes that no values can have are refused, naming tensor, node or input", () => {
  assert.is(readGraphFile(gather({})).nodes.length, 2);
  const many = Array.from({ length: 100_000 }, () => 1);
  for (const [parts, message] of [
    [{ table: [-1] }, /tensor table has the invalid shape \[-1\]; export the model again/],
    [{ table: [2 ** 40, 2 ** 40] }, /tensor table has the invalid shape \[1099511627776, 1099511627776\]/],
    [{ table: [2 ** 62, 0] }, /tensor table has the invalid shape \[4611686018427388000, 0\]/],
    [{ table: many }, /tensor table has 100000 dimensions, and at most 64 are supported/],
    [{ constant: [-1] }, /node choice \(If\) has a constant with the invalid shape \[-1\]/],
    [{ constant: many }, /node choice \(If\) has a constant with 100000 dimensions/],
    [{ input: many }, /input x has 100000 dimensions/],
    [
      { attribute: [{ name: "batch_dims", type: 2, i: 2 ** 62 }] },
      /node y \(Gather\) has batch_dims 4611686018427388000, out of range/,
    ],
    [{ attribute: [{ name: "axis", type: 2, i: -(2 ** 62) }] }, /node y \(Gather\) has axis -4611686018427388000, out of range/],
  ] as const) {
    try {
      readGraphFile(gather(parts));
      assert.unreachable(`read in spite of ${String(message)}`);
    } catch (error) {
      assert.instance(error, BadDataError, String(error));
      assert.match((error as Error).message, message);
    }
  }
});

test("an input that may not be left out has a name", () => {
  for (const opType of ["Einsum", "Max", "Mean", "Min", "Sum"]) {
    const inside = { name: "inside", opType, domain: "", input: ["deep", ""], output: ["made"], attribute: [] };
    assert.throws(
      () => readGraphFile(gather({ inside })),
      (error: unknown) =>
        error instanceof BadDataError &&
        error.message.includes("node choice (If) has an input without a name; export the model again"),
      opType,
    );
  }
  // Clip may leave out its least value
  const inside = { name: "inside", opType: "Clip", domain: "", input: ["deep", "", "deep"], output: ["made"], attribute: [] };
  assert.is(readGraphFile(gather({ inside })).nodes.length, 2);
});

test("a node without a name is named after its output where the engine refuses it", async () => {
  const builder = new GraphBuilder("nameless");
  const x = builder.input("x", "float32", [2, 3]);
  const product = builder.node("MatMul", [x, builder.constant(floatTensor(Float32Array.of(1, 2), [2, 1]))]);
  builder.output("z", builder.node("Relu", [product]), "float32");
  const graph = readGraphFile(sourceOf(builder.build()));
  const nameless = { ...graph, nodes: graph.nodes.map((node) => ({ ...node, message: { ...node.message, name: "" } })) };
  const part = await cutSubgraph(nameless, { outputs: ["z"], given: new Map() }, valuesOf(graph));
  const session = await createSession(part.model, { threads: 1 });
  try {
    await session.run({ x: floatTensor(new Float32Array(6), [2, 3]) });
    assert.unreachable("it ran");
  } catch (error) {
    assert.match((error as Error).message, `run node ${at(graph.nodes, 0).outputs[0]}:`);
  }
  await session.release();
});

test("a part of a graph runs by itself; what it needs of before is a shape that is fed", async () => {
  const graph = readGraphFile(sourceOf(sample()));
  const request = {
    outputs: ["y", "scaled:0"],
    given: new Map([["scaled:0", "float32" as const]]),
    stopsAt: ({ operator }: { operator: string }) => operator === "Shape",
  };
  assert.equal(stoppedValues(graph, request), ["rows:0"]);
  const part = await cutSubgraph(graph, request, valuesOf(graph));
  assert.equal([part.inputs, part.given, part.weights], [[], ["scaled:0"], []]);
  const session = await createSession(part.model, { threads: 1 });
  const results = await session.run({
    [part.inputName("scaled:0")]: floatTensor(ramp, [1, width]),
    "rows:0": { type: "int64", dims: [1], data: BigInt64Array.of(7n) },
  });
  assert.equal(floatValues(results, "scaled:0"), ramp);
  assert.equal(
    floatValues(results, "y"),
    ramp.map((value) => value + 7),
  );
  await session.release();
});

const plainNode = (opType: string, input: string[], output: string, attribute: NodeMessage["attribute"] = []): NodeMessage => ({
  name: output,
  opType,
  domain: "",
  input,
  output: [output],
  attribute,
});

const half = (value: number): Uint8Array => new Uint8Array(Uint16Array.of(value).buffer);

test("half precision is computed in single: constants, casts, and the branches of an If", async () => {
  // 1 + 2^-10 is the float16 after 1; 2^-20 more is lost in half precision
  const third = { name: "third", dims: [1], dataType: 10, rawData: half(0x3c01) };
  const branch = (name: string, opType: string) => ({
    name,
    node: [plainNode(opType, ["narrow", `${name}-one`], `${name}-out`)],
    initializer: [{ name: `${name}-one`, dims: [1], dataType: 10, rawData: half(0x3c00) }],
    input: [],
    output: [{ name: `${name}-out`, type: { tensorType: { elemType: 10 } } }],
  });
  const model = encodeModel({
    irVersion: 8,
    producerName: "test",
    opsetImport: [{ domain: "", version: 18 }],
    graph: {
      name: "half",
      node: [
        plainNode("Cast", ["x"], "narrow", [{ name: "to", type: 2, i: 10 }]),
        plainNode("Constant", [], "constant", [
          { name: "value", type: 4, t: { dims: [1], dataType: 10, rawData: half(0x4000) } },
        ]),
        plainNode("If", ["flag"], "chosen", [
          { name: "then_branch", type: 5, g: branch("plus", "Add") },
          { name: "else_branch", type: 5, g: branch("minus", "Sub") },
        ]),
        plainNode("Mul", ["chosen", "third"], "product"),
        plainNode("Mul", ["product", "constant"], "y"),
      ],
      initializer: [third],
      input: [
        { name: "x", type: { tensorType: { elemType: 1 } } },
        { name: "flag", type: { tensorType: { elemType: 9 } } },
      ],
      output: [{ name: "y" }],
    },
  });
  const graph = readGraphFile(sourceOf(model));
  assert.equal(graph.nodes[2]?.inputs, ["flag", "narrow"]);
  const part = await cutSubgraph(graph, { outputs: ["y"], given: new Map() }, valuesOf(graph));
  const session = await createSession(part.model, { threads: 1 });
  const x = 1 + 2 ** -20;
  for (const [flag, sign] of [
    [1, 1],
    [0, -1],
  ] as const) {
    const results = await session.run({
      x: floatTensor(Float32Array.of(x), [1]),
      flag: { type: "bool", dims: [1], data: Uint8Array.of(flag) },
    });
    const exact = Math.fround((x + sign) * (1 + 2 ** -10)) * 2;
    const found = at(floatValues(results, "y"), 0);
    assert.ok(Math.abs(found - exact) < 1e-7 * Math.abs(exact) + 1e-12, `${found}, not ${exact}`);
  }
  await session.release();
});

test("a graph without changes is written byte for byte; a replaced node runs in place of the old one", async () => {
  const bytes = sample();
  const graph = readGraphFile(sourceOf(bytes));
  const nothing = {
    nodes: new Map(),
    dropped: new Set<string>(),
    moved: new Set<string>(),
    tensors: [],
    domains: new Map<string, number>(),
  };
  assert.equal(Buffer.concat([...changedGraph(graph, nothing)]), Buffer.from(bytes));

  const relu = at(graph.nodes, 0);
  const negated = encodeMessage("NodeProto", { ...relu.message, opType: "Neg" });
  const changed = Buffer.concat([
    ...changedGraph(graph, {
      ...nothing,
      nodes: new Map([[relu, [negated]]]),
      domains: new Map([
        ["com.microsoft", 1],
        ["org.example", 3],
      ]),
    }),
  ]);
  const again = readGraphFile(sourceOf(changed));
  assert.equal(
    again.opsets.map(({ domain, version }) => [domain, Number(version)]),
    [
      ["", 21],
      ["com.microsoft", 1],
      ["org.example", 3],
    ],
  );
  const session = await createSession(
    Buffer.concat([...changedGraph(graph, { ...nothing, nodes: new Map([[relu, [negated]]]) })]),
    { threads: 1 },
  );
  const results = await session.run({ x: floatTensor(new Float32Array(width).fill(2), [1, width]) });
  assert.equal(
    floatValues(results, "y"),
    ramp.map((value) => -2 * value + 1),
  );
  await session.release();
});

test.run();
