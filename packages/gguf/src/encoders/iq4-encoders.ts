import { iq4Levels } from "../blocks/iq4-blocks.ts";
import { sumOfSquares, weigh } from "./block-encoder.ts";
import type { BlockEncoder } from "./block-encoder.ts";
import { nearest } from "./float-rounding.ts";
import { largest, smallest } from "./symmetric-search.ts";

/* Codes for sixteen fixed levels: IQ4_NL, and IQ4_XS with scales of sub-blocks of 32. */

const round = Math.fround;
const size = 32;
const lowest = iq4Levels[0]!;
const tries = 7;

/** Where one level gives way to the next, doubled. */
const bounds = Float32Array.from({ length: 15 }, (_, code) => iq4Levels[code]! + iq4Levels[code + 1]!);

/** The code of the level next to a number, of two equally near ones the higher. */
function codeOf(value: number): number {
  const doubled = round(value + value);
  let code = 0;
  for (let step = 8; step > 0; step >>= 1) if (doubled >= bounds[code + step - 1]!) code += step;
  return code;
}

const own = new Float32Array(size);
const scales = new Float32Array(8);

/** The scale of 32 values with the least weighted error, of 16 tries. */
function searchLevels(x: Float32Array, at: number, importance: Float32Array | undefined, spread: number): number {
  if (importance === undefined) for (let i = 0; i < size; i += 1) own[i] = round(x[at + i]! * x[at + i]!);
  else weigh(x, at, size, importance, spread, own);
  const extreme = largest(x, at, size);
  if (Math.abs(extreme) < smallest) return 0;
  let scale = 0;
  let best = 0;
  const consider = (inverse: number, isFirst: boolean): void => {
    let byValue = 0;
    let byLevel = 0;
    for (let i = 0; i < size; i += 1) {
      const value = x[at + i]!;
      const level = iq4Levels[codeOf(round(inverse * value))]!;
      const weighted = round(own[i]! * level);
      byValue = round(byValue + round(weighted * value));
      byLevel = round(byLevel + round(weighted * level));
    }
    if (!isFirst && !(byLevel > 0 && round(byValue * byValue) > round(best * byLevel))) return;
    scale = byLevel > 0 ? round(byValue / byLevel) : 0;
    best = round(scale * byValue);
  };
  consider(round(1 / round(-extreme / lowest)), true);
  for (let step = -tries; step <= tries; step += 1) consider(round((step + lowest) / extreme), false);
  return scale;
}

function putCodes(x: Float32Array, at: number, scale: number, codes: Uint8Array, codesAt: number): void {
  const inverse = scale === 0 ? 0 : round(1 / scale);
  for (let i = 0; i < size; i += 1) codes[codesAt + i] = codeOf(round(inverse * x[at + i]!));
}

export const iq4NL: BlockEncoder = {
  values: size,
  subBlocks: 0,
  fit(x, at, blocks, block, importance) {
    const spread = round(sumOfSquares(x, at, size) * round(2 / size));
    const scale = searchLevels(x, at, importance, spread);
    blocks.scales[block] = scale;
    putCodes(x, at, scale, blocks.codes, block * size);
  },
};

export const iq4XS: BlockEncoder = {
  values: 256,
  subBlocks: 8,
  fit(x, at, { codes, subScales, ...blocks }, block, importance) {
    const spread = round(sumOfSquares(x, at, 256) * round(2 / 256));
    for (let sub = 0; sub < 8; sub += 1) scales[sub] = searchLevels(x, at + sub * size, importance, spread);
    const d = round(-largest(scales, 0, 8) / 32);
    const inverse = d === 0 ? 0 : round(1 / d);
    blocks.scales[block] = d;
    for (let sub = 0; sub < 8; sub += 1) {
      const code = nearest(round(inverse * scales[sub]!));
      const scale = code < -32 ? -32 : code > 31 ? 31 : code;
      subScales[block * 8 + sub] = scale;
      putCodes(x, at + sub * size, round(d * scale), codes, block * 256 + sub * size);
    }
  },
};
