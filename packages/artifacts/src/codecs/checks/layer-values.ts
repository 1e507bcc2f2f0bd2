/** The loops over a layer's values, codes and mask bits; they take most of the time of its checks. */
import { encodeBrain } from "@mbs/numbers";

/** Value = (code - zero) · scale. */
export interface Grid {
  /** [rows, columns] */
  readonly codes: Uint8Array;
  /** [rows, groups] */
  readonly scales: Float32Array;
  /** [rows, groups] */
  readonly zeros: Uint8Array;
  /** Group of each column. */
  readonly groupOf: Int32Array;
  readonly groups: number;
}

/** The index of the first number above a limit; -1 where none is. */
export function findAbove(values: Uint8Array, limit: number): number {
  for (let index = 0; index < values.length; index += 1) if (values[index]! > limit) return index;
  return -1;
}

/** How many bits are 1. */
export function countOnes(bytes: Uint8Array): number {
  let ones = 0;
  for (let index = 0; index < bytes.length; index += 1) {
    for (let byte = bytes[index]!; byte !== 0; byte &= byte - 1) ones += 1;
  }
  return ones;
}

/** What the codes of the rows from `first` to before `last` stand for, in float32. */
export function dequantise({ codes, scales, zeros, groupOf, groups }: Grid, first: number, last: number): Float32Array {
  const columns = groupOf.length;
  const values = new Float32Array((last - first) * columns);
  for (let row = first; row < last; row += 1) {
    const start = row * columns;
    for (let column = 0; column < columns; column += 1) {
      const cell = row * groups + groupOf[column]!;
      values[start - first * columns + column] = (codes[start + column]! - zeros[cell]!) * scales[cell]!;
    }
  }
  return values;
}

/** Exponent bits of a bfloat16: all of them are 1 in NaN and Inf. */
const brainExponent = 0x7f80;

/**
 * Whether the bits of bfloat16 values are, one and all, what their codes stand for, and finite. A table of each group's values
 * makes it several times as fast as dequantising. No answer is given (false) where a group has fewer columns than codes.
 *
 * @param bits of the rows from `first` on
 */
export function areOfCodes(
  bits: Uint16Array,
  { codes, scales, zeros, groupOf, groups }: Grid,
  first: number,
  levels: number,
): boolean {
  const columns = groupOf.length;
  if (levels * groups > columns) return false;
  const values = new Float32Array(groups * levels);
  const starts = groupOf.map((group) => group * levels);
  for (let start = 0, row = first; start < bits.length; start += columns, row += 1) {
    for (let group = 0; group < groups; group += 1) {
      const cell = row * groups + group;
      for (let code = 0; code < levels; code += 1) {
        values[group * levels + code] = (code - zeros[cell]!) * scales[cell]!;
      }
    }
    const table = encodeBrain(values);
    for (let index = 0; index < table.length; index += 1) if ((table[index]! & brainExponent) === brainExponent) return false;
    const offset = row * columns;
    for (let column = 0; column < columns; column += 1) {
      if (bits[start + column] !== table[starts[column]! + codes[offset + column]!]) return false;
    }
  }
  return true;
}

/** Whether a mask keeps each value of the rows from `first` to before `last`, a byte each: 1 where it does. */
export function unpackMask(mask: Uint8Array, columns: number, first: number, last: number): Uint8Array {
  const stride = Math.ceil(columns / 8);
  const kept = new Uint8Array((last - first) * columns);
  let index = 0;
  for (let row = first; row < last; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      kept[index] = (mask[row * stride + (column >> 3)]! >> (column & 7)) & 1;
      index += 1;
    }
  }
  return kept;
}

/** Sets values to 0 where `kept` is 0. */
export function clearRemoved(values: Float32Array, kept: Uint8Array): void {
  for (let index = 0; index < kept.length; index += 1) values[index]! *= kept[index]!;
}

/** The index of the first value that is not the expected one; -1 where all are. */
export function findOther(values: Float32Array, expected: Float32Array): number {
  for (let index = 0; index < values.length; index += 1) if (values[index] !== expected[index]) return index;
  return -1;
}
