import type { BlockCodes } from "../packing/block-codes.ts";
import { sumOfSquares, weigh } from "./block-encoder.ts";
import type { BlockEncoder } from "./block-encoder.ts";
import { nearest, toHalf } from "./float-rounding.ts";
import { largest, refineSymmetric, searchSymmetric, smallest } from "./symmetric-search.ts";

/* Super-blocks of 256 values whose sub-blocks of 16 have signed scales: Q3_K, Q6_K. */

const round = Math.fround;
const values = 256;
const size = 16;
const count = values / size;

const own = new Float32Array(size);
const scales = new Float32Array(count);
const totals = new Float32Array(count);
const scaleCodes = new Uint8Array(count);

/** Rounds values with the scales of their sub-blocks. @param max codes are 0 … 2·max - 1 */
function roundCodes(x: Float32Array, at: number, { scales, subScales, codes }: BlockCodes, block: number, max: number): void {
  for (let sub = 0; sub < count; sub += 1) {
    const scale = round(scales[block]! * subScales[block * count + sub]!);
    // what the search chose stays
    if (scale === 0) continue;
    for (let i = sub * size; i < (sub + 1) * size; i += 1) {
      const code = nearest(round(x[at + i]! / scale));
      codes[block * values + i] = max + (code < -max ? -max : code > max - 1 ? max - 1 : code);
    }
  }
}

function fitQ3K(x: Float32Array, at: number, blocks: BlockCodes, block: number, importance: Float32Array | undefined): void {
  const { codes, subScales } = blocks;
  const spread = importance === undefined ? 0 : round((2 * sumOfSquares(x, at, values)) / values);
  for (let sub = 0; sub < count; sub += 1) {
    const first = at + sub * size;
    const codesAt = block * values + sub * size;
    if (importance === undefined) {
      scales[sub] = refineSymmetric(x, first, size, 4, codes, codesAt);
      continue;
    }
    weigh(x, first, size, importance, spread, own);
    let total = 0;
    for (const weight of own) total = round(total + weight);
    totals[sub] = total;
    scales[sub] = searchSymmetric(x, first, size, 4, codes, codesAt, own, 0);
  }
  if (importance === undefined) {
    const extreme = largest(scales, 0, count);
    const inverse = extreme === 0 ? 0 : round(-32 / extreme);
    blocks.scales[block] = extreme === 0 ? 0 : toHalf(round(1 / inverse));
    for (let sub = 0; sub < count; sub += 1) {
      // where all values are 0, the bytes are, which stand for -32
      const code = extreme === 0 ? -32 : nearest(round(inverse * scales[sub]!));
      subScales[block * count + sub] = code < -32 ? -32 : code > 31 ? 31 : code;
    }
  } else {
    blocks.scales[block] = toHalf(searchSymmetric(scales, 0, count, 32, scaleCodes, 0, totals, 0));
    for (let sub = 0; sub < count; sub += 1) subScales[block * count + sub] = scaleCodes[sub]! - 32;
  }
  roundCodes(x, at, blocks, block, 4);
}

export const q3K: BlockEncoder = { values, subBlocks: count, fit: fitQ3K };

function fitQ6K(x: Float32Array, at: number, blocks: BlockCodes, block: number, importance: Float32Array | undefined): void {
  const { codes, subScales } = blocks;
  const codesAt = block * values;
  for (let sub = 0; sub < count; sub += 1) {
    const first = at + sub * size;
    scales[sub] = searchSymmetric(x, first, size, 32, codes, codesAt + sub * size, importance, first);
  }
  const extreme = largest(scales, 0, count);
  if (Math.abs(extreme) < smallest) {
    blocks.scales[block] = 0;
    subScales.fill(0, block * count, (block + 1) * count);
    codes.fill(0, codesAt, codesAt + values);
    return;
  }
  const inverse = round(-128 / extreme);
  blocks.scales[block] = toHalf(round(1 / inverse));
  for (let sub = 0; sub < count; sub += 1) {
    subScales[block * count + sub] = Math.min(127, nearest(round(inverse * scales[sub]!)));
  }
  roundCodes(x, at, blocks, block, 32);
}

export const q6K: BlockEncoder = { values, subBlocks: count, fit: fitQ6K };
