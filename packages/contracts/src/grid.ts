/**
 * Which zero points grids may have: `middle` is 2^(bits-1) alone, a symmetric grid; `from-one` is 1 to 2^bits - 1, all that
 * GPTQ's files of version 1 hold; `any` is 0 to 2^bits - 1.
 */
export type ZeroPoints = "middle" | "from-one" | "any";

/** Whole codes in groups of columns: a value is (code - zero) · scale, with scale and zero of its row and group. */
export interface GroupGrid {
  readonly kind: "groups";
  readonly bits: number;
  /** Columns that share a scale; 0 for one group a row. */
  readonly groupSize: number;
  readonly zeroPoints: ZeroPoints;
}

/** The blocks of a quantisation type, of GGUF but for NVFP4, each some neighbouring weights of a row. */
export interface BlockGrid {
  readonly kind: "blocks";
  /** "Q4_K"; the columns of a tensor are whole blocks of it. */
  readonly type: string;
}

/** No grid: values stay as a solver makes them, or as they are. */
export interface NoGrid {
  readonly kind: "none";
}

/** What the values of a tensor are rounded to. */
export type Grid = GroupGrid | BlockGrid | NoGrid;

/** Grids of groups that a format holds. */
export interface HeldGroups {
  readonly kind: "groups";
  /** From the fewest on. */
  readonly bits: readonly number[];
  /** Those that programs take as a matter of course; the format may hold others all the same. */
  readonly zeroPoints: ZeroPoints;
  /** Why all tensors are stored with the same bits, and the remedy; absent where they may differ. */
  readonly sameBits?: string;
}

/** Types of blocks that a format holds, as they are or by their values. */
export interface HeldBlocks {
  readonly kind: "blocks";
  /** All that it holds. */
  readonly types: readonly string[];
  /** Those that an allocation chooses between; absent where all tensors have one. */
  readonly allocated?: readonly string[];
  /** By llama.cpp's name, what gives each tensor its type unless layers have their own; absent where layers alone say it. */
  readonly typeMix?: string;
}

/** One of the kinds of grids that a format holds. */
export type HeldGrids = HeldGroups | HeldBlocks;
