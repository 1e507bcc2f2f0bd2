import type { GroupGrid } from "@mbs/contracts";
import { roundHalfEven, type WeightDtype } from "../dtypes/rounding.ts";

/** How one weight a row is rounded: code = clamp(round(w / scale) + zero, 0, maximum), value = (code - zero)·scale. */
export interface FittedGrid {
  /** Above zero, one a row of W. */
  readonly scales: Float32Array;
  /** Whole numbers from 0 to maximum, one a row of W. */
  readonly zeros: Float32Array;
  /** Largest code: 2^bits - 1, at most 255. */
  readonly maximum: number;
}

/** Bits that a code can have. */
export const bitLimits = { fewest: 2, most: 8 } as const;

/** All numbers of bits that a code can have, from the fewest on. */
export const codeBits: readonly number[] = Array.from(
  { length: bitLimits.most - bitLimits.fewest + 1 },
  (_, index) => bitLimits.fewest + index,
);

/** The largest share of weights that is set to zero: with all of them a weight is gone. */
export const largestSparsity = 0.999;

/** How a group's grid is fitted to its weights. */
export interface GridRule {
  readonly grid: GroupGrid;
  /**
   * How the range is found: all of it; the one with the least Σ |error|^2.4, as the reference program of GPTQ searches; or the
   * one with the least squared error weighted by importances of the columns, given beside the weights.
   */
  readonly search: "none" | "error" | "hessian";
  /** What scales are rounded to. */
  readonly scaleDtype: WeightDtype;
}

const { fround } = Math;

/** Integer code of a value, rounded half to even in float32. */
export function codeOf(value: number, scale: number, zero: number, maximum: number): number {
  const code = roundHalfEven(fround(value / scale)) + zero;
  return code < 0 ? 0 : code > maximum ? maximum : code;
}

/** Value of a code in float32. */
export const valueOf = (code: number, scale: number, zero: number): number => fround(fround(code - zero) * scale);

/** A grid as it is in rows of so many columns: one group a row is said by 0 columns a group. */
export const gridInRows = (grid: GroupGrid, columns: number): GroupGrid =>
  grid.groupSize < columns ? grid : { ...grid, groupSize: 0 };

/** Columns of a group in rows of so many. */
export const groupWidth = (columns: number, { groupSize }: GroupGrid): number =>
  groupSize === 0 ? columns : Math.min(groupSize, columns);

/** Groups in a row of so many columns. */
export const groupCount = (columns: number, grid: GroupGrid): number => Math.ceil(columns / groupWidth(columns, grid));

/** Which codes and zero points a grid has. */
export interface GridLimits {
  /** Largest code. */
  readonly maximum: number;
  readonly leastZero: number;
  readonly mostZero: number;
}

export function limitsOfGrid({ bits, zeroPoints }: GroupGrid): GridLimits {
  const [maximum, middle] = [2 ** bits - 1, 2 ** (bits - 1)];
  if (zeroPoints === "middle") return { maximum, leastZero: middle, mostZero: middle };
  return { maximum, leastZero: zeroPoints === "from-one" ? 1 : 0, mostZero: maximum };
}
