import type { BlockCodes } from "../packing/block-codes.ts";
import { searchAffine } from "./affine-search.ts";
import { weigh } from "./block-encoder.ts";
import type { BlockEncoder } from "./block-encoder.ts";
import { largest, searchSymmetric } from "./symmetric-search.ts";

/* Blocks of 32 values with one scale: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0. Their codes are rounded by the scale before it is stored in half precision. */

const round = Math.fround;
const values = 32;
const own = new Float32Array(values);
const found = { scale: 0, least: 0 };

/** The largest value in size becomes code 0. @param max codes are 0 … 2·max - 1 */
function fitSymmetric(
  x: Float32Array,
  at: number,
  { codes, scales }: BlockCodes,
  block: number,
  max: number,
  importance: Float32Array | undefined,
  spread: number,
): void {
  if (importance !== undefined) {
    weigh(x, at, values, importance, spread, own);
    scales[block] = searchSymmetric(x, at, values, max, codes, block * values, own, 0);
    return;
  }
  const d = round(largest(x, at, values) / -max);
  const inverse = d === 0 ? 0 : round(1 / d);
  scales[block] = d;
  for (let i = 0; i < values; i += 1) {
    codes[block * values + i] = Math.min(2 * max - 1, Math.trunc(round(round(x[at + i]! * inverse) + (max + 0.5))));
  }
}

/** The range of the values becomes that of the codes. */
function fitRange(
  x: Float32Array,
  at: number,
  { codes, scales, offsets }: BlockCodes,
  block: number,
  max: number,
  importance: Float32Array | undefined,
  spread: number,
): void {
  if (importance !== undefined) {
    weigh(x, at, values, importance, spread, own);
    const search = { max, first: -0.9, step: 0.05, tries: 36, absolute: false };
    searchAffine(x, at, values, search, codes, block * values, own, 0, found);
    scales[block] = found.scale;
    offsets[block] = found.least;
    return;
  }
  let low = x[at]!;
  let high = low;
  for (let i = at + 1; i < at + values; i += 1) {
    if (x[i]! < low) low = x[i]!;
    if (x[i]! > high) high = x[i]!;
  }
  const d = round(round(high - low) / max);
  const inverse = d === 0 ? 0 : round(1 / d);
  scales[block] = d;
  offsets[block] = -low;
  for (let i = 0; i < values; i += 1) {
    codes[block * values + i] = Math.min(max, Math.trunc(round(round(round(x[at + i]! - low) * inverse) + 0.5)));
  }
}

const symmetric = (max: number): BlockEncoder => ({
  values,
  subBlocks: 0,
  fit: (x, at, blocks, block, importance, spread) => fitSymmetric(x, at, blocks, block, max, importance, spread),
});

const range = (max: number): BlockEncoder => ({
  values,
  subBlocks: 0,
  fit: (x, at, blocks, block, importance, spread) => fitRange(x, at, blocks, block, max, importance, spread),
});

export const q40 = symmetric(8);
export const q50 = symmetric(16);
export const q41 = range(15);
export const q51 = range(31);

/** An importance changes nothing. */
export const q80: BlockEncoder = {
  values,
  subBlocks: 0,
  fit(x, at, { codes, scales }, block) {
    const d = round(Math.abs(largest(x, at, values)) / 127);
    const inverse = d === 0 ? 0 : round(1 / d);
    scales[block] = d;
    for (let i = 0; i < values; i += 1) {
      const scaled = round(x[at + i]! * inverse);
      // ties away from zero
      codes[block * values + i] = 127 + Math.sign(scaled) * Math.floor(Math.abs(scaled) + 0.5);
    }
  },
};
