import { at } from "@mbs/contracts";
import type { Matrix } from "@mbs/contracts";
import type { Pooling } from "@mbs/models";

/** The embedding of a text, of length 1. @param states after the last block, [tokens, hidden] */
export function pool({ rows, columns, values }: Matrix, pooling: Pooling): Float64Array {
  const sums = new Float64Array(columns);
  const counted = pooling === "mean" ? rows : 1;
  for (let row = 0; row < counted; row++) {
    for (let column = 0; column < columns; column++) sums[column] = at(sums, column) + at(values, row * columns + column);
  }
  const length = Math.hypot(...sums);
  // states of zeros alone have no direction: NaN would be the cosine of them
  return length === 0 ? sums : sums.map((value) => value / length);
}
