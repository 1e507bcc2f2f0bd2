import { at } from "@mbs/contracts";
import { columnValueOf, roundTo } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { blockGrids, quantisationTypeNamed, type Codebook } from "@mbs/gguf";

const blocks = 3;

/** Numbers in [0, 1), the same ones for the same seed. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Codes of random points, with random signs of which an even count is negative where it has to be. */
function pointCodes(codebook: Codebook, count: number, whole: (least: number, most: number) => number): Uint8Array {
  const { width, sizes, points, evenSigns } = codebook;
  const bits = 16 / width;
  const codes = new Uint8Array(count);
  let negatives = 0;
  for (let first = 0; first < count; first += width) {
    const point = at(points, whole(0, points.length - 1));
    for (let k = 0; k < width; k += 1) {
      const size = (point >> (k * bits)) & ((1 << bits) - 1);
      if ((first + k) % 8 === 0) negatives = 0;
      const isNegative = evenSigns && (first + k) % 8 === 7 ? negatives % 2 === 1 : whole(0, 1) === 1;
      if (isNegative) negatives += 1;
      codes[first + k] = isNegative ? sizes.length - 1 - size : sizes.length + size;
    }
  }
  return codes;
}

for (const [name, { rule, pack, codebook }] of blockGrids) {
  test(`${name}: packed blocks decode to what their codes and scales stand for, bit by bit`, () => {
    const next = randomNumbers(11);
    const whole = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
    const { columns, subColumns, zero, maximum, levels, scales, offsets, significantBits } = rule;
    const subs = (blocks * columns) / subColumns;
    const count = blocks * columns;
    const codes = codebook ? pointCodes(codebook, count, whole) : Uint8Array.from({ length: count }, () => whole(0, maximum));
    // scales of these blocks are d · unit, and s is odd
    const { unit, step } = codebook ? { unit: codebook.unit, step: 2 } : { unit: 1, step: 1 };
    const halves = (): Float32Array =>
      roundTo(
        "f16",
        Float32Array.from({ length: blocks }, () => next() - 0.5),
      ).map((value) => value * unit);
    const made = {
      codes,
      scales: significantBits ? Float32Array.of(2 ** -20, 1, 2 ** 20) : halves(),
      offsets: offsets === undefined ? new Float32Array(blocks) : halves(),
      subScales: Int16Array.from({ length: subs }, () =>
        scales ? scales.least + step * whole(0, Math.floor((scales.most - scales.least) / step)) : 1,
      ),
      subOffsets: Uint8Array.from({ length: subs }, () => (typeof offsets === "object" ? whole(0, offsets.most) : 1)),
    };
    const type = quantisationTypeNamed(name);
    const bytes = new Uint8Array(blocks * type.bytes).fill(255);
    pack(made, bytes);
    const values = new Float32Array(codes.length);
    type.decode?.(bytes, values);
    const perSub = subs / blocks;
    const expected = values.map((_, column) => {
      const sub = Math.floor(column / subColumns);
      const block = Math.floor(sub / perSub);
      const grid = {
        scales: Float32Array.of(at(made.scales, block) * at(made.subScales, sub)),
        offsets: Float32Array.of(at(made.offsets, block) * at(made.subOffsets, sub)),
        zero,
        maximum,
        levels,
      };
      return columnValueOf(at(codes, column), grid, 0);
    });
    assert.equal(values, expected);
    assert.ok(new Set(values).size > 20);
  });
}

test.run();
