import { roundTo } from "../dtypes/rounding.ts";
import { mostOffsetOf } from "./block-fit-reference.ts";
import type { BlockRule, BlockScales } from "./block-rule.ts";
import { leastShort, mostShort, roundShort } from "./short-floats.ts";

const { fround, floor, max, min } = Math;

/** Where the determinant is a smaller share of its first term, scale and offset cannot be told apart in float32. */
const leastDeterminant = fround(1e-4);

/**
 * A sub-block whose codes stay. With q[k] its values, H and the gradient g[k] of a row's error by the whole Hessian,
 * x[k] = q[k] - g[k] / H[k, k] + Σ q[j]·H[k, j] / H[k, k] over its columns j < k: the best value of column k less what the
 * columns before it contribute, which are fixed before it is.
 */
export interface FrozenSubBlock {
  /** x of each row, [columns, rows]; brought up to date. */
  readonly best: Float32Array;
  /** [columns, rows] */
  readonly codes: Uint8Array;
  /** H of the sub-block's columns, [columns, columns], symmetric, its diagonal above zero. */
  readonly hessian: Float32Array;
}

/** What of H all rows share: H divided by its largest entry, which changes no choice and keeps sums far from the ends of float32. */
export interface SharedCurvature {
  readonly hessian: Float32Array;
  /** [4, columns]: H[k, k], 1 / H[k, k], Σ H[k, j] over j < k, and over j > k. */
  readonly byColumn: Float32Array;
  /** Σ H. */
  readonly total: number;
}

/** @param hessian [columns, columns] */
export function sharedCurvature(hessian: Float32Array, columns: number): SharedCurvature {
  const diagonal = (column: number): number => hessian[column * (columns + 1)]!;
  let largest = 0;
  for (let column = 0; column < columns; column += 1) largest = max(largest, diagonal(column));
  const scaled = hessian.map((value) => value / largest);
  const byColumn = new Float32Array(4 * columns);
  let total = 0;
  for (let k = 0; k < columns; k += 1) {
    let [before, behind] = [0, 0];
    for (let j = 0; j < columns; j += 1) {
      const value = scaled[k * columns + j]!;
      total += value;
      if (j < k) before += value;
      if (j > k) behind += value;
    }
    const own = scaled[k * (columns + 1)]!;
    byColumn.set([own], k);
    byColumn.set([1 / own], columns + k);
    byColumn.set([before], 2 * columns + k);
    byColumn.set([behind], 3 * columns + k);
  }
  return { hessian: scaled, byColumn, total: fround(total) };
}

/** What the change of a sub-block's scale and offset does to one row's error, its codes as they are. */
interface Quadratic {
  /** q·g and 1·g, q what the codes stand for in units of the scale, g the gradient. */
  readonly slope: number;
  readonly offsetSlope: number;
  /** q·H·q, q·H·1, 1·H·1 of the sub-block. */
  readonly curvature: number;
  readonly cross: number;
  readonly total: number;
}

/** tr((Q - W)·H·(Q - W)ᵀ) after a change of scale and offset, less than before where it is below zero. */
function changeOf({ slope, offsetSlope, curvature, cross, total }: Quadratic, scale: number, offset: number): number {
  const linear = fround(2 * fround(fround(scale * slope) - fround(offset * offsetSlope)));
  const mixed = fround(2 * fround(fround(scale * offset) * cross));
  const squares = fround(fround(fround(offset * offset) * total) - mixed);
  return fround(fround(linear + fround(fround(scale * scale) * curvature)) + squares);
}

/** The changes of scale and offset that lower the error most; of the scale alone where both cannot be told apart. */
function bestChange(quadratic: Quadratic, hasOffset: boolean): readonly [scale: number, offset: number] {
  const { slope, offsetSlope, curvature, cross, total } = quadratic;
  const first = fround(curvature * total);
  const determinant = fround(first - fround(cross * cross));
  if (hasOffset && determinant > fround(first * leastDeterminant)) {
    return [
      fround(fround(fround(cross * offsetSlope) - fround(slope * total)) / determinant),
      fround(fround(fround(curvature * offsetSlope) - fround(slope * cross)) / determinant),
    ];
  }
  return [curvature > 0 ? fround(-slope / curvature) : 0, 0];
}

const half = (value: number): number => roundTo("f16", Float32Array.of(value))[0]!;

/** The nearest scale of few significant bits; 0 where there is none that is above zero. */
function shortScale(value: number, significantBits: number): number {
  const rounded = value > 0 ? roundShort(value, significantBits) : 0;
  return rounded >= leastShort && rounded <= mostShort ? rounded : 0;
}

/** Whole numbers on both sides of one, within bounds. */
const around = (value: number, least: number, most: number): readonly number[] => {
  const low = min(max(floor(value), least), most);
  return [low, min(low + 1, most)];
};

/** A row's scale and offset. */
type ScaleAndOffset = readonly [scale: number, offset: number];

/** A choice for one row: its quadratic form, what it has, and the best that it could have. */
interface RowChoice {
  readonly quadratic: Quadratic;
  readonly present: ScaleAndOffset;
  readonly wanted: ScaleAndOffset;
}

/** The nearest numbers that a block's own scale and offset can be, which are kept; those it has where that is worse. */
function chooseBlockScale(rule: BlockRule, made: BlockScales, row: number, choice: RowChoice): ScaleAndOffset {
  const { levels, offsets: offsetKind, significantBits } = rule;
  const {
    quadratic,
    present: [scale, offset],
    wanted: [wanted, wantedOffset],
  } = choice;
  const mayBeZero = levels !== undefined && significantBits === undefined;
  const tried = significantBits ? shortScale(wanted, significantBits) : half(wanted);
  const triedOffset = offsetKind === "half" ? half(wantedOffset) : offset;
  const loss = changeOf(quadratic, fround(tried - scale), fround(triedOffset - offset));
  if (!(loss < 0) || (tried === 0 && !mayBeZero)) return choice.present;
  made.scales[row] = tried;
  made.offsets[row] = triedOffset;
  return [tried, triedOffset];
}

/** The best of the whole numbers around the wanted ones, which are kept. @param index of the sub-block and row */
function chooseNumbers(
  rule: BlockRule,
  made: BlockScales,
  [unit, offsetUnit]: ScaleAndOffset,
  index: number,
  { quadratic, present, wanted: [wanted, wantedOffset] }: RowChoice,
): ScaleAndOffset {
  const { levels, scales: whole } = rule;
  if (unit === 0 || whole === undefined) return present;
  const mostOffset = mostOffsetOf(rule);
  let least = 0;
  let kept = present;
  for (const s of around(fround(wanted / unit), whole.least, whole.most)) {
    // a level at zero makes a scale of zero needless
    if (s === 0 && !levels) continue;
    for (const o of offsetUnit === 0 ? [0] : around(fround(wantedOffset / offsetUnit), 0, mostOffset)) {
      const [tried, triedOffset] = [fround(unit * s), fround(offsetUnit * o)];
      const loss = changeOf(quadratic, fround(tried - present[0]), fround(triedOffset - present[1]));
      if (!(loss < least)) continue;
      least = loss;
      kept = [tried, triedOffset];
      made.subScales[index] = s;
      made.subOffsets[index] = o;
    }
  }
  return kept;
}

/** A row of a sub-block: what its codes stand for in units of the scale, and the best value of each column; both [columns]. */
interface SubBlockRow {
  readonly q: Float32Array;
  readonly best: Float32Array;
  readonly present: ScaleAndOffset;
}

/** @param behind receives Σ q[j]·H[k, j] over the columns j > k, [columns] */
function quadraticOf(
  { q, best, present: [scale, offset] }: SubBlockRow,
  { hessian, byColumn, total }: SharedCurvature,
  behind: Float32Array,
): Quadratic {
  const columns = q.length;
  let [slope, offsetSlope, curvature, cross] = [0, 0, 0, 0];
  for (let k = 0; k < columns; k += 1) {
    let [sumBefore, sumBehind] = [0, 0];
    for (let j = 0; j < k; j += 1) sumBefore = fround(sumBefore + fround(hessian[k * columns + j]! * q[j]!));
    for (let j = k + 1; j < columns; j += 1) sumBehind = fround(sumBehind + fround(hessian[k * columns + j]! * q[j]!));
    behind[k] = sumBehind;
    const diagonal = byColumn[k]!;
    const error = fround(fround(fround(scale * q[k]!) - offset) - best[k]!);
    const carried = fround(fround(scale * sumBefore) - fround(offset * byColumn[2 * columns + k]!));
    const gradient = fround(fround(diagonal * error) + carried);
    const product = fround(fround(sumBefore + sumBehind) + fround(diagonal * q[k]!));
    slope = fround(slope + fround(q[k]! * gradient));
    offsetSlope = fround(offsetSlope + gradient);
    curvature = fround(curvature + fround(q[k]! * product));
    cross = fround(cross + product);
  }
  return { slope, offsetSlope, curvature, cross, total };
}

/**
 * Gives one sub-block of each row the scale and offset with the least tr((Q - W)·H·(Q - W)ᵀ) for the codes that it has, everything
 * else as it is: the error is a quadratic form of both, so of whole numbers the four around its minimum are compared exactly; of
 * half-precision numbers, or those of few significant bits, the nearest to it is taken, unless it is worse.
 *
 * @param made the scales of the block; overwritten for this sub-block
 * @param sub which of the block's
 */
export function refitSubBlockReference(rule: BlockRule, frozen: FrozenSubBlock, made: BlockScales, sub: number): void {
  const { subColumns: columns, zero, levels, scales: whole, offsets: offsetKind } = rule;
  const { best, codes } = frozen;
  const shared = sharedCurvature(frozen.hessian, columns);
  const { byColumn } = shared;
  const rows = best.length / columns;
  const [q, bestOfRow, behind] = [new Float32Array(columns), new Float32Array(columns), new Float32Array(columns)];
  for (let row = 0; row < rows; row += 1) {
    const [unit, offsetUnit, index] = [made.scales[row]!, made.offsets[row]!, sub * rows + row];
    const [scale, offset] = [fround(unit * made.subScales[index]!), fround(offsetUnit * made.subOffsets[index]!)];
    for (let k = 0; k < columns; k += 1) {
      const code = codes[k * rows + row]!;
      q[k] = levels ? levels[code]! : code - zero;
      bestOfRow[k] = best[k * rows + row]!;
    }
    const quadratic = quadraticOf({ q, best: bestOfRow, present: [scale, offset] }, shared, behind);
    const hasOffset = offsetKind === "half" || (mostOffsetOf(rule) > 0 && offsetUnit !== 0);
    const [scaleChange, offsetChange] = bestChange(quadratic, hasOffset);
    const wanted = [fround(scale + scaleChange), fround(offset + offsetChange)] as const;
    const choice: RowChoice = { quadratic, present: [scale, offset], wanted };
    const [other, otherOffset] = whole
      ? chooseNumbers(rule, made, [unit, offsetUnit], index, choice)
      : chooseBlockScale(rule, made, row, choice);
    const [change, moved] = [fround(other - scale), fround(otherOffset - offset)];
    for (let k = 0; k < columns; k += 1) {
      const pull = fround(fround(change * behind[k]!) - fround(moved * byColumn[3 * columns + k]!));
      best[k * rows + row] = bestOfRow[k]! - fround(pull * byColumn[columns + k]!);
    }
  }
}
