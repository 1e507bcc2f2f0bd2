import type { FittedGrid } from "../grids/grid.ts";
import type { ColumnGrids } from "../grids/column-grids.ts";

/** What is decided for a range of columns. With neither grid nor mask the weights stay as they are. */
export interface Choice {
  readonly grid?: FittedGrid;
  /** Grids of their own for each of the columns, of a kernel made for `columnGrids`. */
  readonly columnGrids?: ColumnGrids;
  /** One byte a weight, 1 where it is kept, [last - first, rows]; applied before the grid. */
  readonly mask?: Uint8Array;
}

/**
 * The innermost loop of GPTQ and SparseGPT on one block of columns. Wᵀ and Eᵀ are [columns, rows]: the rows of W, which
 * are independent of each other, lie side by side.
 */
export interface ColumnKernel {
  /** Wᵀ of the block, [columns, rows]. After `fix`, fixed columns have their final values and later ones are up to date. */
  readonly weights: Float32Array;
  /** Eᵀ of the block, [columns, rows]: (w - value) / U[j, j] of each fixed column; its value where values move on. */
  readonly errors: Float32Array;
  /** Diagonal block of U, [columns, columns]; fill it before the first `fix`. */
  readonly upper: Float32Array;
  /** Diagonal block of P, [columns, columns], zero on and below its diagonal, of a kernel made `asymmetric`; fill it too. */
  readonly asymmetry: Float32Array | undefined;
  /**
   * Fixes columns first … last-1 of the block: each gets its value, and its error moves on to all later columns of the
   * block, w[k] -= e·U[j, k]; with an asymmetry w[k] -= e·U[j, k] - w[j]·P[j, k], w[j] being the weight before it got its
   * value. Where values move on, w[k] -= value·U[j, k]. Columns are fixed once each, in order.
   *
   * @returns the codes, [last - first, rows], valid until the next call; zeros without a grid
   */
  fix(first: number, last: number, choice: Choice): Uint8Array;
}

export interface KernelOptions {
  /** Whether weights move on too (GPTAQ); default false. */
  readonly asymmetric?: boolean;
  /** Whether a column's value moves on to later ones, not its error; the diagonal of U is then not read; default false. */
  readonly carriesValues?: boolean;
  /** Whether columns may have grids of their own, which take twice the memory of the weights; default false. */
  readonly columnGrids?: boolean;
}
