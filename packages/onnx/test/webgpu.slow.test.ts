import { at } from "@mbs/contracts";
import {
  constantTensor,
  createMomentKernel,
  createSession,
  DeviceFullError,
  deviceReport,
  floatTensor,
  floatValues,
  GraphBuilder,
} from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { relativeDifference } from "../../../tools/test/relative-difference.ts";
import { hasWebgpu } from "../../../tools/test/webgpu.ts";

const webgpu = hasWebgpu ? test : (name: string): void => test.skip(name);

const matrix = (rows: number, columns: number, seed: number) => ({
  rows,
  columns,
  values: Float32Array.from({ length: rows * columns }, (_, index) => Math.sin(seed + index * 1.7) + 0.3),
});

/** How far two sums of `terms` products may be from each other, as a share of the largest: each is off by a rounding a term. */
const rounding = (terms: number): number => 2 * terms * 2 ** -24;

function requireNear(found: ArrayLike<number>, wanted: ArrayLike<number>, terms: number): void {
  const off = relativeDifference(found, wanted);
  assert.ok(off <= rounding(terms), `off by ${off} of the largest`);
}

webgpu("a product is that of the processor, and a constant is copied once", async () => {
  const [m, k, n] = [96, 130, 70];
  const shapes = { x: [m, k], w: [k, n] } as const;
  const build = (): Uint8Array => {
    const graph = new GraphBuilder("product", { device: "webgpu" });
    const inputs = [graph.input("x", "float32", shapes.x), graph.input("w", "float32", shapes.w)];
    graph.output("y", graph.node("MatMul", inputs), "float32", [m, n]);
    return graph.build();
  };
  const feeds = { x: floatTensor(matrix(m, k, 1).values, shapes.x), w: constantTensor(matrix(k, n, 2).values, shapes.w) };
  const results = [];
  for (const device of ["cpu", "webgpu"] as const) {
    const session = await createSession(build(), { threads: 1, device });
    results.push(floatValues(await session.run(feeds), "y"));
    if (device === "webgpu") {
      const before = deviceReport();
      const into = new Float32Array(m * n);
      await session.run(feeds, { y: floatTensor(into, [m, n]) });
      assert.equal(into, results[1]);
      const after = deviceReport();
      assert.is(after.uploadedBytes - before.uploadedBytes, 4 * m * k);
      assert.is(after.downloadedBytes - before.downloadedBytes, 4 * m * n);
    }
    await session.release();
  }
  requireNear(at(results, 1), at(results, 0), k);
});

webgpu("runs that begin together do not take each other's constants", async () => {
  const [k, n] = [64, 48];
  const graph = new GraphBuilder("product", { device: "webgpu" });
  const inputs = [graph.input("x", "float32", ["M", k]), graph.input("w", "float32", [k, n])];
  graph.output("y", graph.node("MatMul", inputs), "float32", ["M", n]);
  const session = await createSession(graph.build(), { threads: 1, device: "webgpu" });
  const x = floatTensor(matrix(2, k, 1).values, [2, k]);
  const w = constantTensor(matrix(k, n, 2).values, [k, n]);
  const before = deviceReport().uploadedBytes;
  const made = await Promise.all([1, 2, 3].map(() => session.run({ x, w })));
  assert.is(deviceReport().uploadedBytes - before, 4 * (k * n + 3 * 2 * k), "the constant once");
  for (const each of made) assert.equal(floatValues(each, "y"), floatValues(at(made, 0), "y"));
  await session.release();
});

webgpu("sums of second moments are those of the processor, panel by panel and as a whole", async () => {
  // two panels on a graphics processor, thirteen on the processor
  const [width, tokens] = [2000, 40];
  const [first, second] = [matrix(tokens, width, 1), matrix(tokens - 1, width, 2)];
  const [cpu, device] = [createMomentKernel({ threads: 2 }), createMomentKernel({ threads: 2, device: "webgpu" })];
  const found = [];
  for (const kernel of [cpu, device]) {
    const [gram, cross] = [kernel.gram(width), kernel.cross(width)];
    for (const states of [first, second]) {
      await gram.add(states);
      await cross.add({ ...states, values: states.values.map((value) => value - 0.25) }, states);
    }
    await gram.settle();
    found.push({ mean: gram.mean(2 * tokens - 1), diagonal: gram.diagonal(), cross: await cross.take() });
    gram.clear();
    await gram.add(second);
    await gram.settle();
    found.push({ mean: gram.mean(tokens - 1), diagonal: gram.diagonal(), cross: await cross.take() });
    gram.clear();
    await kernel.release();
  }
  const [own, ownAgain, other, otherAgain] = found as [
    (typeof found)[0],
    (typeof found)[0],
    (typeof found)[0],
    (typeof found)[0],
  ];
  for (const [wanted, made] of [
    [own, other],
    [ownAgain, otherAgain],
  ] as const) {
    requireNear(made.mean, wanted.mean, 2 * tokens);
    requireNear(made.diagonal, wanted.diagonal, 2 * tokens);
    requireNear(made.cross, wanted.cross, 2 * tokens);
  }
  assert.ok(ownAgain.cross.every((value) => value === 0));
});

webgpu("a sum that is larger than one binding is kept in parts", async () => {
  const width = 6000;
  const states = { rows: 2, columns: width, values: Float32Array.from({ length: 2 * width }, (_, index) => (index % 7) - 3) };
  const kernel = createMomentKernel({ threads: 1, device: "webgpu" });
  const sum = kernel.cross(width);
  await sum.add(states, states);
  const found = await sum.take();
  await kernel.release();
  // whole numbers this small are exact in float32
  const at = (row: number, column: number): number => states.values[row * width + column] ?? NaN;
  for (const [row, column] of [
    [0, 0],
    [5591, 17],
    [5592, 5999],
    [5999, 3],
  ] as const) {
    assert.is(found[row * width + column], at(0, row) * at(0, column) + at(1, row) * at(1, column));
  }
});

webgpu("what a graphics processor cannot run is reported, and run all the same", async () => {
  const graph = new GraphBuilder("odd one", { device: "webgpu" });
  graph.output("y", graph.node("Det", [graph.input("x", "float32", [2, 2])]), "float32", []);
  const session = await createSession(graph.build(), { threads: 1, device: "webgpu", name: "odd one" });
  const made = await session.run({ x: floatTensor(Float32Array.of(2, 1, 1, 3), [2, 2]) });
  assert.equal(floatValues(made, "y"), Float32Array.of(5));
  await session.release();
  assert.ok(deviceReport().splitGraphs.includes("odd one"));
});

const ones = (length: number): Float32Array => new Float32Array(length).fill(1);

webgpu("a graphics processor without the space says so, and goes on with less", async () => {
  const graph = new GraphBuilder("outer product", { device: "webgpu" });
  const inputs = [graph.input("x", "float32", ["M", 1]), graph.input("w", "float32", [1, "N"])];
  graph.output("y", graph.node("ReduceSum", [graph.node("MatMul", inputs)], { attributes: { keepdims: 0 } }), "float32", []);
  const session = await createSession(graph.build(), { threads: 1, device: "webgpu" });
  const run = (m: number, n: number) => session.run({ x: floatTensor(ones(m), [m, 1]), w: constantTensor(ones(n), [1, n]) });
  const small = await run(8, 8);
  // 40 GB are more than any buffer may have
  try {
    await run(100_000, 100_000);
    assert.unreachable("there was space");
  } catch (error) {
    assert.instance(error, DeviceFullError);
  }
  assert.equal(floatValues(await run(8, 8), "y"), floatValues(small, "y"));
  await session.release();
});

test.run();
