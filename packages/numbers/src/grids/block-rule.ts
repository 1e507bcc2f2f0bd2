/**
 * How a quantisation type of GGUF lays grids over the columns of a row. A sub-block of columns shares one scale and one offset: code q
 * stands for scale·(q - zero) - offset, or for scale·levels[q]. Where `scales` is given, the scale is the block's half-precision
 * d times the sub-block's whole number, otherwise d; likewise the offset with dmin.
 */
export interface BlockRule {
  /** Columns of a block. */
  readonly columns: number;
  /** Columns of a sub-block; the same where a block has no sub-blocks. */
  readonly subColumns: number;
  /** The code of 0, or of minus the offset. */
  readonly zero: number;
  /** Largest code. */
  readonly maximum: number;
  /** What codes stand for where that is not equally far apart: whole numbers, rising; sixteen, or fewer of types with a codebook. */
  readonly levels?: Int8Array;
  /**
   * Significant bits of d where it is no half-precision number: 1 of a power of two, 4 of a number of E4M3 with an exponent of any
   * size. For blocks without sub-blocks and offsets, with levels that lie alike on both sides of 0, so that d is above zero.
   */
  readonly significantBits?: number;
  /** Whole numbers that scales of sub-blocks are; absent where the block's d is the scale. Below zero, scales have a sign. */
  readonly scales?: { readonly least: number; readonly most: number };
  /** Offsets: half-precision numbers of either sign a block, or whole numbers from 0 a sub-block; absent for none. */
  readonly offsets?: "half" | { readonly most: number };
}

/** A rule whose d has few significant bits. */
export type ShortRule = BlockRule & Required<Pick<BlockRule, "levels" | "significantBits">>;

export const hasShortScales = (rule: BlockRule): rule is ShortRule => rule.significantBits !== undefined;

/** The scales and offsets of one block a row, as its bytes hold them. */
export interface BlockScales {
  /** d, one a row; half-precision numbers, times the unit of a codebook where there is one, or numbers of few significant bits. */
  readonly scales: Float32Array;
  /** dmin, one a row; zeros where the rule has no offsets. */
  readonly offsets: Float32Array;
  /** Whole numbers, [sub-blocks, rows]; ones where d is the scale. */
  readonly subScales: Int16Array;
  /** Whole numbers, [sub-blocks, rows]; ones where dmin is the offset. */
  readonly subOffsets: Uint8Array;
}

/** The odd number from 1 to `most` that is nearest: what a sub-block's scale in a block of codebook points can be. */
export const nearestOdd = (value: number, most: number): number =>
  Math.min(Math.max(2 * Math.round((value - 1) / 2) + 1, 1), most);
