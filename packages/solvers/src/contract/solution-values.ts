// Checks of every value of a solution, as plain loops: the array's own methods call a function for each value.

import type { QuantisedWeight } from "@mbs/contracts";

/** Whether a byte is larger. */
export function hasAbove(bytes: Uint8Array, largest: number): boolean {
  for (let index = 0; index < bytes.length; index += 1) if (bytes[index]! > largest) return true;
  return false;
}

/** Index of the first value that is not zero where the mask is; -1 for none. */
export function firstUnmasked(values: Float32Array, mask: Uint8Array): number {
  for (let index = 0; index < values.length; index += 1) if (mask[index] === 0 && values[index] !== 0) return index;
  return -1;
}

/** A value that is not the one its code stands for. */
export interface OffCode {
  readonly index: number;
  readonly value: number;
  /** (code - zero) · scale. */
  readonly expected: number;
}

/** The first of the values, [rows, columns], that its code contradicts; undefined where all agree. */
export function firstOffCode(values: Float32Array, quantised: QuantisedWeight, columns: number): OffCode | undefined {
  const { codes, scales, zeros, groupOf } = quantised;
  const groups = scales.length / (values.length / columns);
  for (let start = 0, row = 0; start < values.length; start += columns, row += groups) {
    for (let column = 0; column < columns; column += 1) {
      const index = start + column;
      const value = values[index]!;
      const grid = row + groupOf[column]!;
      const expected = Math.fround((codes[index]! - zeros[grid]!) * scales[grid]!);
      if (value !== expected) return { index, value, expected };
    }
  }
  return undefined;
}
