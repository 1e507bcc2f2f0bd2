import { at } from "@mbs/contracts";
import { encodeBrain } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { areOfCodes, dequantise } from "../src/codecs/checks/layer-values.ts";

const [rows, columns, groups, levels] = [5, 24, 3, 8];

/** Numbers from 0 to 1 in a fixed order. */
const fractions = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, index) => (Math.sin(seed + index * 12.9898) * 43_758.5453) % 1).map(Math.abs);

const grid = {
  codes: Uint8Array.from(fractions(rows * columns, 1), (value) => Math.floor(value * levels)),
  scales: Float32Array.from(fractions(rows * groups, 2), (value) => value + 1e-3),
  zeros: Uint8Array.from(fractions(rows * groups, 3), (value) => Math.floor(value * levels)),
  // not in the order of the columns
  groupOf: Int32Array.from({ length: columns }, (_, column) => (column * 7) % groups),
  groups,
};

test("bits of bfloat16 are compared as their dequantised codes are", () => {
  const bits = encodeBrain(dequantise(grid, 0, rows));
  assert.ok(areOfCodes(bits, grid, 0, levels));
  const [first, last] = [2, 4];
  assert.ok(areOfCodes(bits.subarray(first * columns, last * columns), grid, first, levels));
  for (let index = 0; index < bits.length; index += 1) {
    const changed = bits.slice();
    changed[index] = at(bits, index) ^ 1;
    assert.not(areOfCodes(changed, grid, 0, levels), `value ${index}`);
  }
});

test("values that are not finite, and groups with fewer columns than codes, are left to the plain check", () => {
  const scales = grid.scales.slice();
  scales[4] = 3e38;
  const large = { ...grid, scales };
  assert.not(areOfCodes(encodeBrain(dequantise(large, 0, rows)), large, 0, levels));
  assert.not(areOfCodes(encodeBrain(dequantise(grid, 0, rows)), grid, 0, 16));
});

test.run();
