import { InternalError } from "@mbs/contracts";
import { roundHalfEven, roundTo, type WeightDtype } from "../dtypes/rounding.ts";
import { codeOf, limitsOfGrid, valueOf, type FittedGrid, type GridRule } from "./grid.ts";

/** Entries for the mantissa: between them the line is off by less than 1e-8. */
const mantissaBits = 11;
const entries = 2 ** mantissaBits;
const restBits = 23 - mantissaBits;

/** (1 + i/entries)^0.4, one more than entries. */
const mantissaPowers = Float64Array.from({ length: entries + 1 }, (_, index) => (1 + index / entries) ** 0.4);
/** 2^(0.4·(e - 127)) for each exponent e of a float32. */
const exponentPowers = Float64Array.from({ length: 256 }, (_, exponent) => 2 ** (0.4 * (exponent - 127)));

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/**
 * |x|^2.4, the norm of GPTQ's grid search, to a relative 1e-8: x² times |x|^0.4 from tables. The power function takes ten
 * times as long, and the search computes nothing else.
 *
 * @param x a float32
 */
export function searchNorm(x: number): number {
  float[0] = x;
  const pattern = bits[0]!;
  const index = (pattern >>> restBits) & (entries - 1);
  const between = (pattern & (2 ** restBits - 1)) * 2 ** -restBits;
  const low = mantissaPowers[index]!;
  const mantissa = low + (mantissaPowers[index + 1]! - low) * between;
  return x * x * exponentPowers[(pattern >>> 23) & 255]! * mantissa;
}

const { fround } = Math;

/** The search shrinks the range in steps of 1/100 down to a fifth, as the reference program does. */
export const shrinkSteps = 80;
const shrinkGrid = 100;

/** Share of the range that is left after so many steps. */
export const shareLeft = (step: number): number => fround(1 - step / shrinkGrid);

interface Range {
  readonly least: number;
  readonly most: number;
}

/** Scale and zero of one row. */
export interface RowGrid {
  readonly scale: number;
  readonly zero: number;
}

/**
 * The range that a row's grid spans: it always contains zero. A row of zeros gets [-1, 1].
 *
 * A zero point of 1 at least takes half a step below zero, so that it is rounded to 1 and no weight errs by more than half
 * a step.
 */
function rangeOf(values: Float32Array, { grid: { bits, zeroPoints } }: GridRule): Range {
  const halfSteps = 2 * (2 ** bits - 1);
  let least = 0;
  let most = 0;
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  if (zeroPoints === "middle") {
    most = Math.max(most, -least);
    least = -most;
  } else if (zeroPoints === "from-one") {
    least = Math.min(least, fround(-most / (halfSteps - 1)));
  }
  return least === most ? { least: -1, most: 1 } : { least, most };
}

/**
 * Importances as the search takes them: divided by the largest, which changes no grid and keeps losses far from the ends of
 * float32.
 *
 * @returns undefined where the rule searches otherwise
 * @throws {InternalError} where the rule needs them and they are not given for each column
 */
export function relativeImportances(
  { search }: GridRule,
  columns: number,
  importances: Float32Array | undefined,
): Float32Array | undefined {
  if (search !== "hessian") return undefined;
  if (importances?.length !== columns) {
    throw new InternalError(`a search by the Hessian needs ${columns} importances, not ${importances?.length ?? 0}`);
  }
  const most = importances.reduce((largest, importance) => Math.max(largest, importance), 0);
  return importances.map((importance) => importance / most);
}

/**
 * Sum over a row's weights of |error|^2.4, or of the squared errors weighted by importances; stops where it can no longer be
 * below `limit`.
 */
function lossOf(
  values: Float32Array,
  { scale, zero }: RowGrid,
  maximum: number,
  limit: number,
  importances: Float32Array | undefined,
): number {
  let loss = 0;
  for (let index = 0; index < values.length && loss < limit; index += 1) {
    const value = values[index]!;
    const error = fround(valueOf(codeOf(value, scale, zero, maximum), scale, zero) - value);
    loss += importances === undefined ? searchNorm(error) : error * error * importances[index]!;
  }
  return loss;
}

/** A range as the search tries it, `step` of 1/100 narrower. */
function shrink({ least, most }: Range, step: number): Range {
  const share = shareLeft(step);
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

/** Width of a step of a range. A subnormal scale that the range would overrun by half a step is the next larger one. */
function scaleOf({ least, most }: Range, maximum: number, dtype: WeightDtype): number {
  const width = fround(most - least);
  const scale = roundTo(dtype, Float32Array.of(width / maximum))[0]!;
  const { normal, gap } = subnormals[dtype];
  if (scale === 0) return leastScale[dtype];
  return scale < normal && width > (maximum + 0.5) * scale ? scale + gap : scale;
}

/** The grid of a range. A scale that was rounded down would put the code of zero past the last one where no value is positive. */
function gridOf(range: Range, { grid, scaleDtype }: GridRule): RowGrid {
  const { maximum, leastZero, mostZero } = limitsOfGrid(grid);
  const scale = scaleOf(range, maximum, scaleDtype);
  if (leastZero === mostZero) return { scale, zero: leastZero };
  return { scale, zero: Math.min(Math.max(roundHalfEven(fround(-range.least / scale)), leastZero), mostZero) };
}

/**
 * Fits the grid of one row: of the whole range, or where the rule asks for a search, of the range with the least loss, of two
 * equal ones the wider.
 *
 * @param values the row's weights in a group
 * @param importances of the columns, relative to the largest, for a search by the Hessian
 * @param first,end the steps that the search tries
 */
export function fitRow(values: Float32Array, rule: GridRule, importances?: Float32Array, first = 0, end = shrinkSteps): RowGrid {
  const range = rangeOf(values, rule);
  if (rule.search === "none") return gridOf(range, rule);
  const { maximum } = limitsOfGrid(rule.grid);
  let best: RowGrid = { scale: 1, zero: 0 };
  let least = Infinity;
  for (let step = first; step < end; step += 1) {
    const grid = gridOf(shrink(range, step), rule);
    const loss = lossOf(values, grid, maximum, least, importances);
    if (loss < least) {
      least = loss;
      best = grid;
    }
  }
  return best;
}

/** Weights of one row of Wᵀ, [columns, rows]. */
export function rowOf(weights: Float32Array, rows: number, row: number): Float32Array {
  const values = new Float32Array(weights.length / rows);
  for (let column = 0; column < values.length; column += 1) values[column] = weights[column * rows + row]!;
  return values;
}

/**
 * The plain form of the grids' fit.
 *
 * As the reference program of GPTQ, but a symmetric grid is symmetric for rows without negative weights too (the
 * reference then clips the upper half).
 *
 * @param weights Wᵀ of the group, [columns of the group, rows]
 * @param rows rows of W
 * @param importances how much a squared error of each column counts, on any scale, above zero; for a search by the Hessian
 * @returns scales and zeros, one a row
 * @see arXiv:2210.17323
 */
export function fitGridReference(weights: Float32Array, rows: number, rule: GridRule, importances?: Float32Array): FittedGrid {
  const scales = new Float32Array(rows);
  const zeros = new Float32Array(rows);
  const relative = relativeImportances(rule, weights.length / rows, importances);
  for (let row = 0; row < rows; row += 1) {
    const { scale, zero } = fitRow(rowOf(weights, rows, row), rule, relative);
    scales[row] = scale;
    zeros[row] = zero;
  }
  return { scales, zeros, maximum: limitsOfGrid(rule.grid).maximum };
}
