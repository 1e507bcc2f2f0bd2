import type { QuantisedWeight } from "@mbs/contracts";
import { roundHalfEven, roundTo, type Grid, type WeightDtype } from "@mbs/numbers";
import { searchNorm } from "./search-norm.ts";

/** How grids are laid over weights. */
export interface GridRule {
  /** 2 to 8. */
  readonly bits: number;
  readonly symmetric: boolean;
  /** The least zero point of an asymmetric grid, 0 or 1; default 0. */
  readonly minZeroPoint?: number | undefined;
  /** Search for the range with the least error. */
  readonly mse: boolean;
  /** What scales are rounded to; default f32. */
  readonly scaleDtype?: WeightDtype | undefined;
}

const { fround } = Math;

/** The search shrinks the range in steps of 1/100 down to a fifth, as the reference program does. */
const shrinkSteps = 80;
const shrinkGrid = 100;

/** Integer code of a value, rounded half to even in float32. */
export function codeOf(value: number, scale: number, zero: number, maximum: number): number {
  const code = roundHalfEven(fround(value / scale)) + zero;
  return code < 0 ? 0 : code > maximum ? maximum : code;
}

/** Value of a code in float32. */
export const valueOf = (code: number, scale: number, zero: number): number => fround(fround(code - zero) * scale);

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
  for (const [index, value] of values.entries()) {
    const grid = Math.floor(index / columns) * groups + groupOf[index % columns]!;
    const expected = fround((codes[index]! - zeros[grid]!) * scales[grid]!);
    if (value !== expected) return { index, value, expected };
  }
  return undefined;
}

interface Range {
  readonly least: number;
  readonly most: number;
}

/**
 * The range that each row's grid spans: it always contains zero. A row of zeros gets [-1, 1].
 *
 * A zero point of 1 at least takes half a step below zero, so that it is rounded to 1 and no weight errs by more than half
 * a step.
 */
function rangesOf(
  weights: Float32Array,
  rows: number,
  { bits, symmetric, minZeroPoint }: GridRule,
): { least: Float32Array; most: Float32Array } {
  const halfSteps = 2 * (2 ** bits - 1);
  const least = new Float32Array(rows);
  const most = new Float32Array(rows);
  for (let start = 0; start < weights.length; start += rows) {
    for (let row = 0; row < rows; row += 1) {
      const value = weights[start + row]!;
      if (value < least[row]!) least[row] = value;
      if (value > most[row]!) most[row] = value;
    }
  }
  for (let row = 0; row < rows; row += 1) {
    if (symmetric) {
      most[row] = Math.max(most[row]!, -least[row]!);
      least[row] = -most[row]!;
    } else if (minZeroPoint === 1) {
      least[row] = Math.min(least[row]!, -most[row]! / (halfSteps - 1));
    }
    if (least[row] === most[row]) {
      least[row] = -1;
      most[row] = 1;
    }
  }
  return { least, most };
}

/** Sum of |error|^2.4 over a row's weights; stops where it can no longer be below `limit`. */
function lossOf(values: Float32Array, scale: number, zero: number, maximum: number, limit: number): number {
  let loss = 0;
  for (let index = 0; index < values.length && loss < limit; index += 1) {
    const value = values[index]!;
    loss += searchNorm(fround(valueOf(codeOf(value, scale, zero, maximum), scale, zero) - value));
  }
  return loss;
}

/** A range as the search tries it, `step` of 1/100 narrower. */
function shrink({ least, most }: Range, step: number): Range {
  const share = fround(1 - step / shrinkGrid);
  return { least: fround(share * least), most: fround(share * most) };
}

/** Replaces a scale that rounds to zero, so that nothing is divided by zero. */
const leastScale: Readonly<Record<WeightDtype, number>> = { f32: fround(1e-38), f16: 2 ** -24, bf16: 2 ** -126 };

/** Below `normal` the numbers of a dtype are `gap` apart, and rounding can change a scale much. */
const subnormals: Readonly<Record<WeightDtype, { readonly normal: number; readonly gap: number }>> = {
  f32: { normal: 2 ** -126, gap: 2 ** -149 },
  f16: { normal: 2 ** -14, gap: 2 ** -24 },
  bf16: { normal: 2 ** -126, gap: 2 ** -133 },
};

/** Width of a step of each range. A subnormal scale that its range would overrun by half a step is the next larger one. */
function scalesOf(ranges: readonly Range[], maximum: number, dtype: WeightDtype = "f32"): Float32Array {
  const widths = ranges.map(({ least, most }) => fround(most - least));
  const exact = Float32Array.from(widths, (width) => width / maximum);
  const scales = dtype === "f32" ? exact : roundTo(dtype, exact);
  const { normal, gap } = subnormals[dtype];
  return scales.map((scale, index) => {
    if (scale === 0) return leastScale[dtype];
    return scale < normal && widths[index]! > (maximum + 0.5) * scale ? scale + gap : scale;
  });
}

/** The code of zero; a scale that was rounded down would put that of a range without positive values past the last code. */
const zeroOf = ({ least }: Range, scale: number, maximum: number, { minZeroPoint = 0 }: GridRule): number =>
  Math.min(Math.max(roundHalfEven(fround(-least / scale)), minZeroPoint), maximum);

/** Scale and zero of the range with the least loss, of two equal ones the wider. */
function searchGrid(values: Float32Array, range: Range, rule: GridRule, maximum: number, midpoint: number | undefined) {
  const ranges = Array.from({ length: shrinkSteps }, (_, step) => shrink(range, step));
  let best = { scale: 1, zero: 0 };
  let least = Infinity;
  for (const [step, scale] of scalesOf(ranges, maximum, rule.scaleDtype).entries()) {
    const zero = midpoint ?? zeroOf(ranges[step]!, scale, maximum, rule);
    const loss = lossOf(values, scale, zero, maximum, least);
    if (loss < least) {
      least = loss;
      best = { scale, zero };
    }
  }
  return best;
}

/**
 * Fits one grid a row to the weights of a group.
 *
 * As the reference program of GPTQ, but a symmetric grid is symmetric for rows without negative weights too (the
 * reference then clips the upper half).
 *
 * @param weights Wᵀ of the group, [columns of the group, rows]
 * @param rows rows of W
 * @returns scales and zeros, one a row
 * @see arXiv:2210.17323
 */
export function fitGrid(weights: Float32Array, rows: number, rule: GridRule): Grid {
  const { bits, symmetric, mse, scaleDtype } = rule;
  const maximum = 2 ** bits - 1;
  const midpoint = symmetric ? 2 ** (bits - 1) : undefined;
  const scales = new Float32Array(rows);
  const zeros = new Float32Array(rows);
  const ranges = rangesOf(weights, rows, rule);
  const values = new Float32Array(weights.length / rows);
  for (let row = 0; row < rows; row += 1) {
    const range = { least: ranges.least[row]!, most: ranges.most[row]! };
    if (mse) {
      for (let column = 0; column < values.length; column += 1) values[column] = weights[column * rows + row]!;
      const { scale, zero } = searchGrid(values, range, rule, maximum, midpoint);
      scales[row] = scale;
      zeros[row] = zero;
    } else {
      const scale = scalesOf([range], maximum, scaleDtype)[0]!;
      scales[row] = scale;
      zeros[row] = midpoint ?? zeroOf(range, scale, maximum, rule);
    }
  }
  return { scales, zeros, maximum };
}
