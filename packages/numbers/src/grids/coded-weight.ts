import type { QuantisedWeight } from "@mbs/contracts";
import { roundTo, type WeightDtype } from "../dtypes/rounding.ts";

/** What is wrong with a part of a weight: its `codes` "hold 8 at row 1, column 2, which 3 bits do not". */
export interface PartFault {
  readonly part: "codes" | "scales" | "zeros" | "groups" | "values";
  readonly says: string;
}

/** Where the element of a matrix is, in words. */
export const placeOf = (index: number, columns: number): string =>
  `row ${Math.floor(index / columns)}, column ${index % columns}`;

const isWhole = (value: number, least: number, most: number): boolean =>
  Number.isInteger(value) && value >= least && value <= most;

/** What keeps bits and group size from being those of codes in rows of so many columns. */
export function codedGridFault(
  { bits, groupSize }: Pick<QuantisedWeight, "bits" | "groupSize">,
  columns: number,
): PartFault | undefined {
  if (!isWhole(bits, 1, 8)) return { part: "codes", says: `are of ${bits} bits, not of 1 to 8` };
  if (isWhole(groupSize, 1, columns)) return undefined;
  return { part: "groups", says: `are of ${groupSize} columns, not of 1 to ${columns}` };
}

function lengthFault(weight: QuantisedWeight, rows: number, columns: number, groups: number): PartFault | undefined {
  const { codes, scales, zeros, groupOf } = weight;
  const cells = `the ${rows * groups} of ${rows} rows and ${groups} groups`;
  if (codes.length !== rows * columns)
    return { part: "codes", says: `are ${codes.length}, not the ${rows * columns} of ${rows} rows and ${columns} columns` };
  if (scales.length !== rows * groups) return { part: "scales", says: `are ${scales.length}, not ${cells}` };
  if (zeros.length !== rows * groups) return { part: "zeros", says: `are ${zeros.length}, not ${cells}` };
  if (groupOf.length !== columns) return { part: "groups", says: `are of ${groupOf.length} columns, not of ${columns}` };
  return undefined;
}

/** Index of the first number above a limit; -1 where none is. A plain loop: `findIndex` calls a function for each. */
function findAbove(numbers: Uint8Array, limit: number): number {
  for (let index = 0; index < numbers.length; index += 1) if (numbers[index]! > limit) return index;
  return -1;
}

/** @param width numbers in a row */
function bitsFault(part: "codes" | "zeros", numbers: Uint8Array, width: number, bits: number): PartFault | undefined {
  const wrong = findAbove(numbers, 2 ** bits - 1);
  return wrong < 0 ? undefined : { part, says: `hold ${numbers[wrong]} at ${placeOf(wrong, width)}, which ${bits} bits do not` };
}

function groupsFault({ groupOf, groupSize }: QuantisedWeight, groups: number): PartFault | undefined {
  const sizes = new Int32Array(groups);
  for (const [column, group] of groupOf.entries()) {
    const size = sizes[group];
    if (size === undefined) return { part: "groups", says: `put column ${column} in group ${group} of ${groups}` };
    if (size === groupSize)
      return { part: "groups", says: `put column ${column} beyond the size of group ${group}, ${groupSize}` };
    sizes[group] = size + 1;
  }
  return undefined;
}

/** What keeps codes, scales, zeros and groups from being a weight of [rows, columns]; undefined where they are one. */
export function codedWeightFault(weight: QuantisedWeight, rows: number, columns: number): PartFault | undefined {
  const ofGrid = codedGridFault(weight, columns);
  if (ofGrid !== undefined) return ofGrid;
  const { bits, groupSize, codes, scales, zeros } = weight;
  const groups = Math.ceil(columns / groupSize);
  const found =
    lengthFault(weight, rows, columns, groups) ??
    bitsFault("codes", codes, columns, bits) ??
    bitsFault("zeros", zeros, groups, bits) ??
    groupsFault(weight, groups);
  if (found !== undefined) return found;
  const wrong = scales.findIndex((scale) => !(Number.isFinite(scale) && scale > 0));
  if (wrong < 0) return undefined;
  return { part: "scales", says: `hold ${scales[wrong]} at ${placeOf(wrong, groups)}, not finite and above 0` };
}

/** Rows of a weight's values, and what they have to follow from. */
export interface ValuesOfCodes {
  /** Finite, [rows, columns]. */
  readonly values: Float32Array;
  readonly columns: number;
  /** The row of the weight that the values begin with. */
  readonly firstRow: number;
  /** What the values were rounded to. */
  readonly dtype: WeightDtype;
  /** The whole weight, without fault; undefined where values have no codes. */
  readonly coded: QuantisedWeight | undefined;
  /** A byte for each of the values, 0 where a mask removes it; undefined where nothing is removed. */
  readonly kept: Uint8Array | undefined;
}

/**
 * What the codes of a row stand for, in a dtype. Where groups have as many columns as codes, only a table of each group's values
 * is rounded to it.
 */
function rowValuesOf({ bits, codes, scales, zeros, groupOf }: QuantisedWeight, rows: number, dtype: WeightDtype) {
  const columns = groupOf.length;
  const groups = scales.length / rows;
  const levels = 2 ** bits;
  const rounded = (values: Float32Array): Float32Array => (dtype === "f32" ? values : roundTo(dtype, values));
  const made = new Float32Array(columns);
  if (dtype === "f32" || levels * groups > columns) {
    return (row: number): Float32Array => {
      for (let column = 0; column < columns; column += 1) {
        const cell = row * groups + groupOf[column]!;
        made[column] = (codes[row * columns + column]! - zeros[cell]!) * scales[cell]!;
      }
      return rounded(made);
    };
  }
  const table = new Float32Array(groups * levels);
  return (row: number): Float32Array => {
    for (let group = 0; group < groups; group += 1) {
      const cell = row * groups + group;
      for (let code = 0; code < levels; code += 1) table[group * levels + code] = (code - zeros[cell]!) * scales[cell]!;
    }
    const values = rounded(table);
    for (let column = 0; column < columns; column += 1) {
      made[column] = values[groupOf[column]! * levels + codes[row * columns + column]!]!;
    }
    return made;
  };
}

/**
 * The first value that is not what its code stands for, or not 0 where a mask removes it; undefined where all are. The code of a
 * removed weight is not looked at.
 */
export function codedValuesFault({ values, columns, firstRow, dtype, coded, kept }: ValuesOfCodes): PartFault | undefined {
  const expectedOf = coded && rowValuesOf(coded, coded.codes.length / columns, dtype);
  for (let start = 0; start < values.length; start += columns) {
    const expected = expectedOf?.(firstRow + start / columns);
    for (let column = 0; column < columns; column += 1) {
      const value = values[start + column]!;
      const isRemoved = kept !== undefined && kept[start + column] === 0;
      if (value === (isRemoved ? 0 : (expected?.[column] ?? value))) continue;
      const reason = isRemoved ? "which its mask removes" : `its codes say ${expected?.[column]}`;
      return { part: "values", says: `hold ${value} at ${placeOf(firstRow * columns + start + column, columns)}, ${reason}` };
    }
  }
  return undefined;
}
