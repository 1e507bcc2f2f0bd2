import { at } from "@mbs/contracts";
import { createSession, floatTensor, floatValues, GraphBuilder } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { activations, sigmoid, softplus } from "../src/graph/activations.ts";
import type { Activation } from "../src/graph/activations.ts";

async function valuesOf(activation: Activation, inputs: Float32Array): Promise<Float32Array> {
  const graph = new GraphBuilder("activation");
  graph.output("y", activation(graph, graph.input("x", "float32", ["T"])), "float32");
  const session = await createSession(graph.build(), { threads: 1 });
  const values = floatValues(await session.run({ x: floatTensor(inputs, [inputs.length]) }), "y");
  await session.release();
  return values;
}

/** Blocks of 1/64, which float32 has exactly. */
const between = (first: number, last: number): Float32Array =>
  Float32Array.from({ length: (last - first) * 64 + 1 }, (_, index) => first + index / 64);

const sigmoidOf = (x: number): number => 1 / (1 + Math.exp(-x));

const cases: readonly (readonly [string, Activation, (x: number) => number])[] = [
  ["sigmoid", sigmoid, sigmoidOf],
  ["silu", activations.silu, (x) => x * sigmoidOf(x)],
  ["softplus", softplus, (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))],
];

for (const [name, activation, expected] of cases) {
  for (const [first, last] of [
    [-30, -8],
    [-87, -30],
    [-8, 30],
  ] as const) {
    test(`${name} from ${first} to ${last} is that of float64`, async () => {
      const inputs = between(first, last);
      const values = await valuesOf(activation, inputs);
      for (const [index, x] of inputs.entries()) {
        const [found, right] = [at(values, index), expected(x)];
        // an exponential right to its last bit or two, a sum, a quotient: 5 roundings of 2⁻²⁴ = 3e-7
        assert.ok(Math.abs(found - right) <= 1e-6 * Math.abs(right), `${name}(${x}) is ${found}, expected ${right}`);
      }
    });
  }
}

test("where the exponential is infinite or 0, sigmoid and silu are still numbers", async () => {
  const inputs = Float32Array.of(-3e38, -1000, -89, 0, 89, 1000, 3e38);
  const largest = Math.fround(3e38);
  // below -88.7, a sigmoid is less than the smallest normal number, 1.2e-38
  for (const [activation, expected] of [
    [sigmoid, [0, 0, 0, 0.5, 1, 1, 1]],
    [activations.silu, [0, 0, 0, 0, 89, 1000, largest]],
  ] as const) {
    for (const [index, value] of (await valuesOf(activation, inputs)).entries()) {
      assert.ok(Math.abs(value - at(expected, index)) < 1e-35, `at ${at(inputs, index)}: ${value}`);
    }
  }
});

test.run();
