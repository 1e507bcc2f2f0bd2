import { at } from "@mbs/contracts";
import { createSession, floatTensor, floatValues, GraphBuilder } from "@mbs/onnx";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { blockedWeight } from "../src/checkpoint/quantised/blocked-weight.ts";
import { unpackValues } from "../src/checkpoint/quantised/packed-values.ts";
import type { PackedWeight } from "../src/checkpoint/quantised/packed-values.ts";
import { withPackedLinears } from "../src/graph/packed-linear.ts";
import { createStackedSequence } from "../src/graph/stacked-sequence.ts";

const rows = 24;
const length = 5;

/** Codes of 4 bits on grids of random scales. */
function packed(columns: number, groups: Int32Array): PackedWeight {
  const count = Math.max(...groups) + 1;
  return {
    rows,
    columns,
    bits: 4,
    codes: Uint8Array.from({ length: rows * columns }, (_, index) => (index * 7919) % 16),
    groups,
    zeros: Int16Array.from({ length: count * rows }, (_, index) => 6 + (index % 5)),
    scales: Float32Array.from({ length: count * rows }, (_, index) => 0.01 + (index % 7) / 500),
  };
}

async function product(weight: PackedWeight, input: Float32Array): Promise<Float32Array> {
  const blocked = blockedWeight(weight);
  assert.ok(blocked);
  const graph = new GraphBuilder("packed");
  const sequence = createStackedSequence(graph, (role) => role, { batch: 1, length, others: new Map() });
  const { columns } = weight;
  const layer = { role: "layer", rows, columns, bias: false };
  const packedSequence = withPackedLinears(sequence, new Map([["layer.weight", blocked]]));
  graph.output("y", packedSequence.linear(graph.input("x", "float32", [length, columns]), layer), "float32");
  const session = await createSession(graph.build(), { threads: 1 });
  const results = await session.run({ x: floatTensor(input, [length, columns]) });
  await session.release();
  return floatValues(results, "y");
}

const groupsOf = (columns: number, size: number): Int32Array =>
  Int32Array.from({ length: columns }, (_, column) => Math.floor(column / size));

for (const [title, columns, groups] of [
  ["groups of 64", 192, groupsOf(192, 64)],
  ["groups of 128, the last one short", 320, groupsOf(320, 128)],
  ["one group a row", 80, groupsOf(80, 80)],
  ["columns of all groups in turn", 96, Int32Array.from({ length: 96 }, (_, column) => column % 3)],
] as const) {
  test(`a packed product is that of its values, except for the rounding of activations: ${title}`, async () => {
    const weight = packed(columns, groups);
    const values = unpackValues(weight);
    const input = Float32Array.from({ length: length * columns }, (_, index) => Math.sin(index * 12.9898));
    const found = await product(weight, input);
    let differs = false;
    for (let token = 0; token < length; token++) {
      for (let row = 0; row < rows; row++) {
        let [exact, most] = [0, 0];
        for (let column = 0; column < columns; column++) {
          const value = at(values, row * columns + column);
          exact += value * at(input, token * columns + column);
          most += Math.abs(value);
        }
        const error = Math.abs(at(found, token * rows + row) - exact);
        // half a block of 1/127 of the largest activation, which is at most 1; and float32
        assert.ok(error <= (most / 254) * 1.001, `${error} of ${exact}`);
        differs ||= error > 1e-6;
      }
    }
    assert.ok(differs);
  });
}

test("a grid that does not fit into blocks, or zero points beyond 8 bits, are left to float32", () => {
  assert.is(blockedWeight(packed(96, groupsOf(96, 8))), undefined);
  assert.is(blockedWeight(packed(96, groupsOf(96, 40))), undefined);
  const weight = packed(64, groupsOf(64, 32));
  assert.is(blockedWeight({ ...weight, zeros: weight.zeros.map(() => 256) }), undefined);
});

test.run();
