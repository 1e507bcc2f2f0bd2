import { roundHalfEven, roundTo } from "../dtypes/rounding.ts";
import { hasShortScales, type BlockRule, type BlockScales, type ShortRule } from "./block-rule.ts";
import { levelCodeOf, levelTable } from "./column-grids.ts";
import { leastShort, shortsAround } from "./short-floats.ts";
import { createSubBlockFitter } from "./sub-block-fit.ts";

const { fround, abs, min, max } = Math;

/** The least half-precision number above zero, and the largest. */
const leastHalf = 2 ** -24;
const mostHalf = 65_504;

const clamp = (value: number, least: number, most: number): number => min(max(value, least), most);

/** In half precision; what is too large becomes the largest. */
const halves = (values: Float32Array): Float32Array =>
  roundTo(
    "f16",
    values.map((value) => clamp(value, -mostHalf, mostHalf)),
  );

/** The largest whole number of an offset; 0 where offsets are none. */
export const mostOffsetOf = ({ offsets }: BlockRule): number => (typeof offsets === "object" ? offsets.most : 0);

/** Importances relative to the largest, which keep sums far from the ends of float32. */
export function relativeTo(importances: Float32Array): Float32Array {
  const largest = importances.reduce((most, importance) => max(most, importance), 0);
  return importances.map((importance) => importance / largest);
}

/** Scale and offset that each sub-block would have by itself, [sub-blocks, rows]. */
export interface WantedScales {
  readonly scales: Float32Array;
  readonly offsets: Float32Array;
}

/** One number a row of those of all its sub-blocks. */
function acrossSubBlocks(values: Float32Array, rows: number, isFurther: (value: number, kept: number) => boolean): Float32Array {
  const kept = new Float32Array(rows);
  for (let start = 0; start < values.length; start += rows) {
    for (let row = 0; row < rows; row += 1) {
      const value = values[start + row]!;
      if (isFurther(value, kept[row]!)) kept[row] = value;
    }
  }
  return kept;
}

/**
 * d and dmin of the rows of a block: the scale of the largest size, and the largest offset, get the whole number that is furthest
 * from zero.
 */
export function unitsOf(
  wanted: WantedScales,
  rows: number,
  rule: BlockRule,
): { readonly scales: Float32Array; readonly offsets: Float32Array } {
  const { levels, scales: whole, offsets: offsetKind } = rule;
  const furthest = whole === undefined ? 1 : whole.least < 0 ? whole.least : whole.most;
  const largest = acrossSubBlocks(wanted.scales, rows, (value, kept) => abs(value) > abs(kept));
  const scales = halves(largest.map((scale) => scale / furthest));
  // without a level at zero a scale of zero stands for nothing
  if (!levels) for (let row = 0; row < rows; row += 1) if (scales[row] === 0) scales[row] = leastHalf;
  if (offsetKind === undefined) return { scales, offsets: new Float32Array(rows) };
  if (offsetKind === "half") return { scales, offsets: halves(wanted.offsets) };
  const offsets = acrossSubBlocks(wanted.offsets, rows, (value, kept) => value > kept);
  return { scales, offsets: halves(offsets.map((offset) => offset / offsetKind.most)) };
}

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

/**
 * For each row, of the scales with few significant bits from half to twice the one at which the largest weight has the largest level,
 * that with the least error: they are so few that all are tried.
 *
 * @param relative importances of the columns
 */
function fitShortScales(
  weights: Float32Array,
  rows: number,
  { levels, significantBits }: ShortRule,
  relative: Float32Array,
): Float32Array {
  const columns = relative.length;
  const table = levelTable(levels);
  const values = new Float32Array(columns);
  const scales = new Float32Array(rows).fill(leastShort);
  for (let row = 0; row < rows; row += 1) {
    let largest = 0;
    for (let column = 0; column < columns; column += 1) {
      values[column] = weights[column * rows + row]!;
      largest = max(largest, abs(values[column]!));
    }
    let least = Infinity;
    for (const tried of shortsAround(fround(largest / levels.at(-1)!), significantBits)) {
      let loss = 0;
      // sums only grow, so one that is too large already need not go on
      for (let column = 0; column < columns && loss < least; column += 1) {
        const value = values[column]!;
        const place = Math.floor(fround(value / tried) * 2);
        const error = fround(fround(table[clamp(place, -256, 255) + 256]! * tried) - value);
        loss = fround(loss + fround(relative[column]! * fround(error * error)));
      }
      if (!(loss < least)) continue;
      least = loss;
      scales[row] = tried;
    }
  }
  return scales;
}

/**
 * Chooses the scales and offsets of one block a row: first those of each sub-block by themselves, then d and dmin for all of them,
 * then for each sub-block the whole numbers next to the wanted ones with the least error.
 *
 * @param weights Wᵀ of the block, [rule.columns, rows]
 * @param importances how much a squared error of each column counts, on any scale, above zero
 */
export function fitBlocksReference(weights: Float32Array, rows: number, rule: BlockRule, importances: Float32Array): BlockScales {
  const { columns, subColumns, levels, scales: whole } = rule;
  const subs = columns / subColumns;
  const relative = relativeTo(importances);
  const numbers = {
    subScales: new Int16Array(subs * rows).fill(1),
    subOffsets: new Uint8Array(subs * rows).fill(1),
  };
  if (hasShortScales(rule)) {
    const scales = fitShortScales(weights, rows, rule, relative);
    return { scales, offsets: new Float32Array(rows), ...numbers };
  }
  const fit = createSubBlockFitter(rule);
  const mostOffset = mostOffsetOf(rule);
  const importancesOf = (sub: number): Float32Array => relative.subarray(sub * subColumns, (sub + 1) * subColumns);
  const valuesOf = (sub: number, row: number): Float32Array =>
    Float32Array.from({ length: subColumns }, (_, column) => weights[(sub * subColumns + column) * rows + row]!);

  const wanted = { scales: new Float32Array(subs * rows), offsets: new Float32Array(subs * rows) };
  for (let sub = 0; sub < subs; sub += 1) {
    for (let row = 0; row < rows; row += 1) {
      const { scale, offset } = fit(valuesOf(sub, row), importancesOf(sub));
      wanted.scales[sub * rows + row] = scale;
      wanted.offsets[sub * rows + row] = offset;
    }
  }
  const made = { ...unitsOf(wanted, rows, rule), ...numbers };
  if (whole === undefined) return made;

  /** Whole numbers for the scale and offset of one sub-block. */
  function choose(row: number, sub: number): void {
    const [unit, offsetUnit, index] = [made.scales[row]!, made.offsets[row]!, sub * rows + row];
    const { least: lowest, most: highest } = whole!;
    const near = unit === 0 ? 0 : clamp(roundHalfEven(fround(wanted.scales[index]! / unit)), lowest, highest);
    const nearOffset = offsetUnit === 0 ? 0 : clamp(roundHalfEven(fround(wanted.offsets[index]! / offsetUnit)), 0, mostOffset);
    const lastOffset = offsetUnit === 0 ? 0 : min(nearOffset + 1, mostOffset);
    let least = Infinity;
    for (let s = max(near - 1, lowest); s <= min(near + 1, highest); s += 1) {
      // a level at zero makes a scale of zero needless
      if (s === 0 && !levels) continue;
      for (let o = max(nearOffset - 1, 0); o <= lastOffset; o += 1) {
        const loss = lossOf(valuesOf(sub, row), importancesOf(sub), fround(unit * s), fround(offsetUnit * o), rule);
        if (!(loss < least)) continue;
        least = loss;
        made.subScales[index] = s;
        made.subOffsets[index] = o;
      }
    }
  }

  for (let sub = 0; sub < subs; sub += 1) for (let row = 0; row < rows; row += 1) choose(row, sub);
  return made;
}
