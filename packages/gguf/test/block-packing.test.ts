import { at } from "@mbs/contracts";
import { columnValueOf, roundTo } from "@mbs/numbers";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { blockGrids, quantisationTypeNamed } from "@mbs/gguf";

const blocks = 3;

/** Numbers in [0, 1), the same ones for the same seed. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

for (const [name, { rule, pack }] of blockGrids) {
  test(`${name}: packed blocks decode to what their codes and scales stand for, bit by bit`, () => {
    const next = randomNumbers(11);
    const whole = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
    const { columns, subColumns, zero, maximum, levels, scales, offsets, powers } = rule;
    const subs = (blocks * columns) / subColumns;
    const codes = Uint8Array.from({ length: blocks * columns }, () => whole(0, maximum));
    const halves = (): Float32Array =>
      roundTo(
        "f16",
        Float32Array.from({ length: blocks }, () => next() - 0.5),
      );
    const made = {
      codes,
      scales: powers ? Float32Array.of(2 ** -20, 1, 2 ** 20) : halves(),
      offsets: offsets === undefined ? new Float32Array(blocks) : halves(),
      subScales: Int16Array.from({ length: subs }, () => (scales ? whole(scales.least, scales.most) : 1)),
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
    assert.ok(new Set(values).size > 30);
  });
}

test.run();
