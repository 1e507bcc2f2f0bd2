import type { BlockCodes } from "../packing/block-codes.ts";
import { searchAffine, searchPositive } from "./affine-search.ts";
import type { AffineSearch } from "./affine-search.ts";
import { sumOfSquares, weigh } from "./block-encoder.ts";
import type { BlockEncoder } from "./block-encoder.ts";
import { nearest, toHalf } from "./float-rounding.ts";

/*
 * Super-blocks of 256 values whose sub-blocks have scales and least values: Q2_K, Q4_K, Q5_K.
 */

const round = Math.fround;
const values = 256;

interface AffineKind {
  /** Values of a sub-block. */
  readonly size: number;
  readonly maxScale: number;
  readonly search: AffineSearch;
  /** What errors of a sub-block count without an importance. */
  readonly weights: (x: Float32Array, at: number, weights: Float32Array) => void;
  /** Times the mean of x², with an importance. */
  readonly spread: number;
}

const own = new Float32Array(32);
const scales = new Float32Array(16);
const leasts = new Float32Array(16);
const totals = new Float32Array(16);
const found = { scale: 0, least: 0 };
const scaleCodes = new Uint8Array(16);

function fitSubBlocks(
  x: Float32Array,
  at: number,
  codes: Uint8Array,
  codesAt: number,
  kind: AffineKind,
  importance: Float32Array | undefined,
): void {
  const { size, search } = kind;
  const spread = importance === undefined ? 0 : round((kind.spread * sumOfSquares(x, at, values)) / values);
  const wide = { ...search, first: -0.9, step: 0.05, tries: 36, absolute: false };
  for (let sub = 0; sub * size < values; sub += 1) {
    const first = at + sub * size;
    if (importance === undefined) kind.weights(x, first, own);
    else {
      weigh(x, first, size, importance, spread, own);
      let total = 0;
      for (let i = 0; i < size; i += 1) total = round(total + own[i]!);
      totals[sub] = total;
    }
    searchAffine(x, first, size, importance === undefined ? search : wide, codes, codesAt + sub * size, own, 0, found);
    scales[sub] = found.scale;
    leasts[sub] = found.least;
  }
}

/** Whole numbers for scales or least values, so that the largest has the largest. @returns what they are multiplied with */
function roundScales(exact: Float32Array, count: number, max: number, rounded: Int16Array | Uint8Array, to: number): number {
  let high = 0;
  for (let sub = 0; sub < count; sub += 1) high = Math.max(high, exact[sub]!);
  const inverse = high > 0 ? round(max / high) : 0;
  for (let sub = 0; sub < count; sub += 1) rounded[to + sub] = Math.min(max, nearest(round(inverse * exact[sub]!)) & 255);
  return toHalf(round(high / max));
}

/** As `roundScales`, by the errors that the importance weighs. */
function searchScales(exact: Float32Array, count: number, max: number, rounded: Int16Array | Uint8Array, to: number): number {
  const factor = toHalf(searchPositive(exact, count, max, scaleCodes, totals));
  for (let sub = 0; sub < count; sub += 1) rounded[to + sub] = scaleCodes[sub]!;
  return factor;
}

function fitAffine(
  x: Float32Array,
  at: number,
  { codes, ...blocks }: BlockCodes,
  block: number,
  kind: AffineKind,
  importance: Float32Array | undefined,
): void {
  const { size, maxScale, search } = kind;
  const count = values / size;
  const first = block * count;
  const codesAt = block * values;
  fitSubBlocks(x, at, codes, codesAt, kind, importance);
  const choose = importance === undefined ? roundScales : searchScales;
  const d = choose(scales, count, maxScale, blocks.subScales, first);
  const dmin = choose(leasts, count, maxScale, blocks.subOffsets, first);
  blocks.scales[block] = d;
  blocks.offsets[block] = dmin;
  for (let sub = 0; sub < count; sub += 1) {
    const scale = round(d * blocks.subScales[first + sub]!);
    // what the search chose stays
    if (scale === 0) continue;
    const least = round(dmin * blocks.subOffsets[first + sub]!);
    for (let i = sub * size; i < (sub + 1) * size; i += 1) {
      const code = nearest(round(round(x[at + i]! + least) / scale));
      codes[codesAt + i] = code < 0 ? 0 : code > search.max ? search.max : code;
    }
  }
}

/** What Q4_K and Q5_K count errors by: size of the value and of all values in the sub-block. */
function sizeWeights(x: Float32Array, at: number, weights: Float32Array): void {
  const mean = round(Math.sqrt(round(sumOfSquares(x, at, 32) / 32)));
  for (let i = 0; i < 32; i += 1) weights[i] = round(mean + Math.abs(x[at + i]!));
}

const twoBits: AffineKind = {
  size: 16,
  maxScale: 15,
  search: { max: 3, first: -0.5, step: 0.1, tries: 15, absolute: true },
  weights: (x, at, weights) => {
    for (let i = 0; i < 16; i += 1) weights[i] = Math.abs(x[at + i]!);
  },
  spread: 1,
};
const fourBits: AffineKind = {
  size: 32,
  maxScale: 63,
  search: { max: 15, first: -1, step: 0.1, tries: 20, absolute: false },
  weights: sizeWeights,
  spread: 2,
};
const fiveBits: AffineKind = { ...fourBits, search: { max: 31, first: -0.5, step: 0.1, tries: 15, absolute: false } };

const encoder = (kind: AffineKind): BlockEncoder => ({
  values,
  subBlocks: values / kind.size,
  fit: (x, at, blocks, block, importance) => fitAffine(x, at, blocks, block, kind, importance),
});

export const q2K = encoder(twoBits);
export const q4K = encoder(fourBits);
export const q5K = encoder(fiveBits);
