import { roundHalfEven, roundTo } from "../dtypes/rounding.ts";
import type { BlockRule, BlockScales } from "./block-rule.ts";
import { levelCodeOf } from "./column-grids.ts";
import { createSubBlockFitter } from "./sub-block-fit.ts";

const { fround, abs, min, max } = Math;

/** The least half-precision number above zero, and the largest. */
const leastHalf = 2 ** -24;
const mostHalf = 65_504;

const clamp = (value: number, least: number, most: number): number => min(max(value, least), most);

/** In half precision; what is too large becomes the largest. */
const half = (value: number): number => roundTo("f16", Float32Array.of(clamp(value, -mostHalf, mostHalf)))[0]!;

/** Σ importance · error² of a sub-block, each value rounded to the grid. */
function lossOf(values: Float32Array, importances: Float32Array, scale: number, offset: number, rule: BlockRule): number {
  const { zero, maximum, levels } = rule;
  let loss = 0;
  for (let column = 0; column < values.length; column += 1) {
    const value = values[column]!;
    let rounded: number;
    if (levels) {
      rounded = fround(levels[levelCodeOf(fround(value / scale), levels)]! * scale);
    } else {
      const code = roundHalfEven(fround(fround(value + offset) / scale)) + zero;
      rounded = fround(fround(fround((code < 0 ? 0 : code > maximum ? maximum : code) - zero) * scale) - offset);
    }
    const error = fround(rounded - value);
    loss = fround(loss + fround(importances[column]! * fround(error * error)));
  }
  return loss;
}

/** d: the scale of the largest size gets the whole number that is furthest from zero. */
function unitOf(scales: Float32Array, { least, most }: { readonly least: number; readonly most: number }): number {
  let largest = 0;
  for (const scale of scales) if (abs(scale) > abs(largest)) largest = scale;
  return half(largest / (least < 0 ? least : most));
}

/**
 * Chooses the scales and offsets of one block a row: first those of each sub-block by themselves, then d and dmin for all of them,
 * then for each sub-block the whole numbers next to the wanted ones with the least error.
 *
 * @param weights Wᵀ of the block, [rule.columns, rows]
 * @param importances how much a squared error of each column counts, on any scale, above zero
 */
export function fitBlocks(weights: Float32Array, rows: number, rule: BlockRule, importances: Float32Array): BlockScales {
  const { columns, subColumns, levels, scales: whole, offsets: offsetKind } = rule;
  const subs = columns / subColumns;
  const largest = importances.reduce((most, importance) => max(most, importance), 0);
  // relative ones keep the sums far from the ends of float32
  const relative = importances.map((importance) => importance / largest);
  const made = {
    scales: new Float32Array(rows),
    offsets: new Float32Array(rows),
    subScales: new Int16Array(subs * rows).fill(1),
    subOffsets: new Uint8Array(subs * rows).fill(1),
  };
  const fit = createSubBlockFitter(rule);
  const values = new Float32Array(columns);
  const part = (array: Float32Array, sub: number): Float32Array => array.subarray(sub * subColumns, (sub + 1) * subColumns);
  const [wantedScales, wantedOffsets] = [new Float32Array(subs), new Float32Array(subs)];
  const mostOffset = typeof offsetKind === "object" ? offsetKind.most : 0;

  /** Whole numbers for the scale and offset of one sub-block. */
  function choose(row: number, sub: number): void {
    const [unit, offsetUnit, index] = [made.scales[row]!, made.offsets[row]!, sub * rows + row];
    const { least: lowest, most: highest } = whole!;
    const near = unit === 0 ? 0 : clamp(roundHalfEven(fround(wantedScales[sub]! / unit)), lowest, highest);
    const nearOffset = offsetUnit === 0 ? 0 : clamp(roundHalfEven(fround(wantedOffsets[sub]! / offsetUnit)), 0, mostOffset);
    const lastOffset = offsetUnit === 0 ? 0 : min(nearOffset + 1, mostOffset);
    let least = Infinity;
    for (let s = max(near - 1, lowest); s <= min(near + 1, highest); s += 1) {
      // a level at zero makes a scale of zero needless
      if (s === 0 && !levels) continue;
      for (let o = max(nearOffset - 1, 0); o <= lastOffset; o += 1) {
        const loss = lossOf(part(values, sub), part(relative, sub), fround(unit * s), fround(offsetUnit * o), rule);
        if (!(loss < least)) continue;
        least = loss;
        made.subScales[index] = s;
        made.subOffsets[index] = o;
      }
    }
  }

  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) values[column] = weights[column * rows + row]!;
    for (let sub = 0; sub < subs; sub += 1) {
      const { scale, offset } = fit(part(values, sub), part(relative, sub));
      wantedScales[sub] = scale;
      wantedOffsets[sub] = offset;
    }
    const unit = whole ? unitOf(wantedScales, whole) : half(wantedScales[0]!);
    made.scales[row] = unit === 0 && !levels ? leastHalf : unit;
    if (offsetKind === "half") made.offsets[row] = half(wantedOffsets[0]!);
    if (mostOffset > 0) made.offsets[row] = half(wantedOffsets.reduce((most, offset) => max(most, offset), 0) / mostOffset);
    if (whole) for (let sub = 0; sub < subs; sub += 1) choose(row, sub);
  }
  return made;
}
