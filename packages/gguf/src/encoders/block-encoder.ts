import type { BlockCodes } from "../packing/block-codes.ts";

/** How values become blocks of one type, to nearest: what ggml's reference functions do, in the same order of float32 operations. */
export interface BlockEncoder {
  /** Values of a block. */
  readonly values: number;
  readonly subBlocks: number;
  /**
   * Chooses scales and codes for one block.
   *
   * @param x values, from `at` on
   * @param blocks receives them
   * @param block its number in `blocks`
   * @param importance what the squared error of each value counts, along with its size; from `at` on too
   * @param spread mean of x² over the row, which types without sub-blocks add to the importance; not read without importance
   */
  fit(x: Float32Array, at: number, blocks: BlockCodes, block: number, importance: Float32Array | undefined, spread: number): void;
}

const round = Math.fround;

/** Σx² of `count` values, in ggml's order. */
export function sumOfSquares(x: Float32Array, at: number, count: number): number {
  let sum = 0;
  for (let i = at; i < at + count; i += 1) sum = round(sum + round(x[i]! * x[i]!));
  return sum;
}

/** What errors count where there is an importance: importance · √(spread + x²). */
export function weigh(
  x: Float32Array,
  at: number,
  count: number,
  importance: Float32Array,
  spread: number,
  weights: Float32Array,
): void {
  for (let i = 0; i < count; i += 1) {
    const value = x[at + i]!;
    weights[i] = round(importance[at + i]! * round(Math.sqrt(round(spread + round(value * value)))));
  }
}
