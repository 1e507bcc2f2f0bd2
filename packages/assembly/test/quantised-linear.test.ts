import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { at, FailedPreconditionError } from "@mbs/contracts";
import { createSession, floatTensor, floatValues, GraphBuilder } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { addQuantisedLinear, reorderInput } from "../src/onnx/weights/quantised-linear.ts";
import { packWeight, planWeight, weightTensors } from "../src/onnx/weights/quantised-weight.ts";
import type { ThreeBit } from "../src/onnx/weights/quantised-weight.ts";
import { WeightFiles } from "../src/onnx/weights/weight-files.ts";
import { dice, randomLayer } from "./fixtures/random-layer.ts";
import type { RandomLayerOptions } from "./fixtures/random-layer.ts";

const folder = await mkdtemp(join(tmpdir(), "quantised-linear-test-"));
test.after(() => rm(folder, { recursive: true }));

interface Case {
  readonly name: string;
  readonly options: RandomLayerOptions;
  readonly threeBit: ThreeBit;
}

/** The products of an input with the weights of all cases, in one graph, and their bytes of weights. */
async function multiply(cases: readonly Case[], tokens: number, columns: number, x: Float32Array) {
  const graph = new GraphBuilder("products");
  const files = new WeightFiles("products.onnx");
  const input = graph.input("x", "float32", ["T", columns]);
  for (const { name, options, threeBit } of cases) {
    const layer = randomLayer(options);
    const stored = planWeight(layer, threeBit);
    const reserved = files.reserve(weightTensors(stored), () => packWeight(layer, stored));
    const tensors = reserved.map((tensor) => graph.external(tensor));
    const given = stored.grid.order === undefined ? input : reorderInput(graph, input, stored.grid.order);
    graph.output(name, addQuantisedLinear(graph, given, stored, tensors, 0), "float32");
  }
  await writeFile(join(folder, "products.onnx"), graph.build());
  for (const name of files.names) await writeFile(join(folder, name), files.write(name));
  const session = await createSession(join(folder, "products.onnx"), { threads: 1 });
  const products = await session.run({ x: floatTensor(x, [tokens, columns]) });
  await session.release();
  return products;
}

function product(x: Float32Array, weight: Float32Array, tokens: number, columns: number): Float32Array {
  const rows = weight.length / columns;
  return Float32Array.from({ length: tokens * rows }, (_, index) => {
    let sum = 0;
    for (let column = 0; column < columns; column++) {
      sum += at(x, Math.floor(index / rows) * columns + column) * at(weight, (index % rows) * columns + column);
    }
    return sum;
  });
}

const largest = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, index) => Math.max(most, Math.abs(value - at(b, index))), 0);

// Sums of 544 terms in float32, of size 2: √544 · 2⁻²⁴ · 2 = 3e-6 as a rule. One weight of 8 bits with the next code: 3e-4.
const rounding = 1e-5;

// 544 columns: no multiple of 64, so that last groups and last blocks are shorter than the others.
const columns = 544;
const tokens = 3;
const random = dice(5);
const x = Float32Array.from({ length: tokens * columns }, () => random(2000) / 1000 - 1);

function refusal(bits: number, groupSize: number): string {
  try {
    planWeight(randomLayer({ rows: 2, columns: 240, bits, groupSize, symmetric: true }), "planes");
  } catch (error) {
    assert.instance(error, FailedPreconditionError);
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
}

test("bits, groups, zero points, act-order and masks give the product with the values", async () => {
  const cases: Case[] = [];
  for (const [bits, threeBit] of [
    [2, "planes"],
    [3, "planes"],
    [3, "nibbles"],
    [4, "planes"],
    [8, "planes"],
  ] as const) {
    for (const groupSize of [16, 32, 48, 64, 128, 256, 512, columns]) {
      for (const symmetric of [true, false]) {
        for (const scattered of [false, true]) {
          const options = { rows: 5, columns, bits, groupSize, symmetric, scattered, masked: groupSize === 32 };
          cases.push({ name: JSON.stringify([bits, threeBit, groupSize, symmetric, scattered]), options, threeBit });
        }
      }
    }
  }
  const products = await multiply(cases, tokens, columns, x);
  for (const { name, options } of cases) {
    const expected = product(x, randomLayer(options).exact, tokens, columns);
    const difference = largest(floatValues(products, name), expected);
    assert.ok(difference < rounding, `${name}: off by ${difference}`);
  }
});

test("3-bit planes give the same bytes as nibbles and take a quarter fewer bytes", async () => {
  for (const symmetric of [true, false]) {
    const options = { rows: 8, columns, bits: 3, groupSize: 64, symmetric };
    const cases = (["planes", "nibbles"] as const).map((threeBit) => ({ name: threeBit, options, threeBit }));
    const products = await multiply(cases, tokens, columns, x);
    // planes are joined to the same codes when the graph is loaded, and go through the same kernel
    assert.equal(floatValues(products, "planes"), floatValues(products, "nibbles"));
    const layer = randomLayer(options);
    const [low, high] = packWeight(layer, planWeight(layer, "planes"));
    const codes = at(packWeight(layer, planWeight(layer, "nibbles")), 0);
    assert.ok(low && high);
    assert.is((low.length + high.length) * 4, codes.length * 3);
  }
});

test("symmetric 4 bits have no zero points, symmetric 3 bits in nibbles carry theirs, four", () => {
  const base = { rows: 2, columns: 64, groupSize: 32, symmetric: true };
  const four = randomLayer({ ...base, bits: 4 });
  assert.is(weightTensors(planWeight(four, "nibbles")).length, 2);
  const three = randomLayer({ ...base, bits: 3 });
  assert.equal(packWeight(three, planWeight(three, "nibbles"))[2], Uint8Array.of(0x44, 0x44));
});

test("bits and groups without a form are refused with the nearest", () => {
  for (const bits of [5, 6, 7]) {
    assert.is(
      refusal(bits, 16),
      `w: ${bits} bits cannot be written as ONNX, whose weights have 2, 3, 4 or 8; compress with --bits 4 or --bits 8`,
    );
  }
  assert.match(refusal(4, 24), /^w: groups of 24 columns .*; compress with --group-size 16 or 32$/);
  assert.match(refusal(4, 8), /; compress with --group-size 16$/);
});

test.run();
