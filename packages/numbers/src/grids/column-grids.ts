import { roundHalfEven } from "../dtypes/rounding.ts";

/**
 * Grids of neighbouring columns, one a row and column, as the blocks of GGUF have them: value = (code - zero)·scale - offset, or
 * levels[code]·scale where levels are not equally far apart. Everything is rounded to float32.
 */
export interface ColumnGrids {
  /** [columns, rows], or [rows] where all columns have the same; of either sign, zero only with levels. */
  readonly scales: Float32Array;
  /** As many; default none. */
  readonly offsets?: Float32Array | undefined;
  /** The code that stands for minus the offset, of all columns. */
  readonly zero: number;
  /** Largest code, at most 255. */
  readonly maximum: number;
  /** Sixteen whole numbers, rising; `zero` and `offsets` are then not used. */
  readonly levels?: Int8Array | undefined;
}

const { fround } = Math;

/** Halfway between each level and the next, where a code changes. */
export const limitsOf = (levels: Int8Array): Float32Array =>
  Float32Array.from({ length: levels.length - 1 }, (_, code) => (levels[code]! + levels[code + 1]!) / 2);

const tables = new WeakMap<Int8Array, Int8Array>();

/** The level of a value x divided by its scale, for ⌊2x⌋ from -256 on: limits between levels are whole numbers or halves. */
export function levelTable(levels: Int8Array): Int8Array {
  const made =
    tables.get(levels) ?? Int8Array.from({ length: 512 }, (_, index) => levels[levelCodeOf((index - 256) / 2, levels)]!);
  tables.set(levels, made);
  return made;
}

/** The code of a value divided by its scale among levels; of two that are as near the upper one. */
export function levelCodeOf(quotient: number, levels: Int8Array): number {
  let code = 0;
  while (code < levels.length - 1 && quotient >= (levels[code]! + levels[code + 1]!) / 2) code += 1;
  return code;
}

/**
 * The code of a value.
 *
 * @param index into scales and offsets
 */
export function columnCodeOf(value: number, { scales, offsets, zero, maximum, levels }: ColumnGrids, index: number): number {
  const scale = scales[index]!;
  if (levels) return levelCodeOf(fround(value / scale), levels);
  const moved = offsets ? fround(value + offsets[index]!) : value;
  const code = fround(roundHalfEven(fround(moved / scale)) + zero);
  return Math.min(Math.max(code, 0), maximum);
}

/** The value of a code. */
export function columnValueOf(code: number, { scales, offsets, zero, levels }: ColumnGrids, index: number): number {
  const value = fround((levels ? levels[code]! : code - zero) * scales[index]!);
  return offsets && !levels ? fround(value - offsets[index]!) : value;
}
