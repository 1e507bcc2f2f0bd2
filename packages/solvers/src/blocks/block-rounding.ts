import type { Blas } from "@mbs/contracts";
import type { BlockScales, ColumnBlock } from "@mbs/numbers";
import type { SweptGrids } from "../feedback/coordinate-descent.ts";

/** How the weights of one site get the scales and codes of one GGUF type. */
export interface BlockRounding {
  /**
   * Scales of one block a row.
   *
   * @param panel Wᵀ of the block, [columns of a block, rows]
   * @param positions of its columns in the factor's order
   */
  fit(panel: Float32Array, positions: Int32Array): BlockScales;
  /** Fixes all columns of a walk's block, whose blocks have scales. @param codes receives theirs, [columns, rows] */
  fix(walked: ColumnBlock, codes: Uint8Array): void;
  /**
   * Grids for sweeps in natural order.
   *
   * @param codes [columns, rows]; overwritten
   * @param hessian H, damped, [columns, columns]; not read afterwards
   */
  sweep(blas: Blas, codes: Uint8Array, hessian: Float32Array): SweptGrids;
}
