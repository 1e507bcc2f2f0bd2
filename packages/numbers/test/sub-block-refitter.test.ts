import { columnCodeOf, createSubBlockRefitter, fitBlocksReference, refitSubBlockReference } from "@mbs/numbers";
import type { BlockRule, BlockScales } from "@mbs/numbers";
import { at } from "@mbs/contracts";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { blockRules } from "./block-rules.ts";
import { randomNumbers } from "./random-numbers.ts";
import { bellOf } from "./weight-kinds.ts";

const next = randomNumbers(29);

const bell = bellOf(next);

/** E[x xᵀ] of correlated inputs of unequal size. */
function hessianOf(columns: number): Float32Array {
  const hessian = new Float32Array(columns * columns);
  const sizes = Float32Array.from({ length: columns }, () => 10 ** (2 * next() - 1));
  for (let token = 0; token < 2 * columns; token += 1) {
    const common = bell();
    const x = sizes.map((size) => size * (bell() + common));
    for (let index = 0; index < hessian.length; index += 1) {
      hessian[index] = at(hessian, index) + at(x, Math.floor(index / columns)) * at(x, index % columns);
    }
  }
  return hessian;
}

const copyOf = ({ scales, offsets, subScales, subOffsets }: BlockScales): BlockScales => ({
  scales: scales.slice(),
  offsets: offsets.slice(),
  subScales: subScales.slice(),
  subOffsets: subOffsets.slice(),
});

/** Scales fitted to some weights, the codes of one sub-block, and best values that are some steps away. */
function sampleOf(rule: BlockRule, rows: number, sub: number) {
  const { columns, subColumns, zero, maximum, levels } = rule;
  const weights = Float32Array.from({ length: rows * columns }, (_, index) => (index % rows === 5 ? 0 : bell() / 20));
  const made = fitBlocksReference(weights, rows, rule, new Float32Array(columns).fill(1));
  const own = weights.subarray(sub * subColumns * rows, (sub + 1) * subColumns * rows);
  const scales = Float32Array.from(made.scales, (scale, row) => scale * at(made.subScales, sub * rows + row));
  const offsets = Float32Array.from(made.offsets, (offset, row) => offset * at(made.subOffsets, sub * rows + row));
  const grids = { scales, offsets, zero, maximum, levels };
  const codes = Uint8Array.from(own, (value, index) => columnCodeOf(value, grids, index % rows));
  const best = own.map((value, index) => value * (1 + bell() / 8) + (bell() * at(scales, index % rows)) / 2);
  return { made, codes, best, hessian: hessianOf(subColumns) };
}

/** @returns how many of the best values moved */
function compare(rule: BlockRule, rows: number, sub: number): number {
  const { made, codes, best, hessian } = sampleOf(rule, rows, sub);
  const [expected, found] = [copyOf(made), copyOf(made)];
  const [expectedBest, foundBest] = [best.slice(), best.slice()];
  refitSubBlockReference(rule, { best: expectedBest, codes, hessian }, expected, sub);
  createSubBlockRefitter(rule, rows)({ best: foundBest, codes, hessian }, found, sub);
  assert.equal(found, expected);
  assert.equal(foundBest, expectedBest);
  return foundBest.filter((value, index) => value !== at(best, index)).length;
}

for (const rule of blockRules) {
  test(`both forms give the same bits: ${JSON.stringify(rule)}`, () => {
    compare(rule, 1, 0);
    const moved = compare(rule, 83, rule.columns / rule.subColumns - 1);
    assert.ok(moved > 100, `${moved} best values moved`);
  });
}

test("sub-blocks of more rows than fit into the kernel's memory at once", () => {
  compare(at(blockRules, 3), 2060, 0);
});

test.run();
