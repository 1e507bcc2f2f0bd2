import type { QuantisedWeight } from "@mbs/contracts";

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
