import type { Blas } from "@mbs/contracts";
import { codeOf, valueOf, type FittedGrid } from "@mbs/numbers";
import { outputByRow } from "../output-error.ts";

/** Ranges that are tried: whole, then a twentieth less each time, down to 11/20; the reference program's. */
const shrinkSteps = 10;
const shrinkGrid = 20;

/** One group of columns. */
export interface ClippedGroup {
  readonly rows: number;
  /** First column of the group. */
  readonly first: number;
  /** E[x xᵀ] of all columns, [columns, columns]. */
  readonly gram: Float32Array;
  /** The grid of a panel on its whole range. */
  readonly fit: (panel: Float32Array) => FittedGrid;
}

/** E[x xᵀ] of `size` columns from `first`, [size, size]. */
function diagonalBlock(gram: Float32Array, first: number, size: number): Float32Array {
  const columns = Math.sqrt(gram.length);
  const block = new Float32Array(size * size);
  for (let row = 0; row < size; row += 1) {
    const start = (first + row) * columns + first;
    block.set(gram.subarray(start, start + size), row * size);
  }
  return block;
}

/**
 * The grid of each row, on the range clipped at both ends that has the least output error of the group alone: δ·H·δᵀ with
 * H of the group's own columns.
 *
 * The reference program rounds the clipped weights, this the original ones: where both ends are clipped, clipped weights are
 * halfway between two points of the grid, and the last bit of the scale decides.
 *
 * @param panel Wᵀ of the group, [columns of the group, rows]
 * @see arXiv:2306.00978; the clipping is described with its reference program
 */
export async function clippedGrid(
  blas: Blas,
  panel: Float32Array,
  { rows, first, gram, fit }: ClippedGroup,
): Promise<FittedGrid> {
  const size = panel.length / rows;
  const moment = { gram: diagonalBlock(gram, first, size) };
  const largest = new Float32Array(rows);
  for (let column = 0; column < panel.length; column += rows) {
    for (let row = 0; row < rows; row += 1) largest[row] = Math.max(largest[row]!, Math.abs(panel[column + row]!));
  }
  const best = fit(panel);
  const clipped = new Float32Array(panel.length);
  const change = new Float32Array(panel.length);
  const least = new Float64Array(rows).fill(Infinity);
  for (let step = 0; step < shrinkSteps; step += 1) {
    const share = Math.fround(1 - step / shrinkGrid);
    const limits = largest.map((value) => value * share);
    for (let column = 0; column < panel.length; column += rows) {
      for (let row = 0; row < rows; row += 1) {
        clipped[column + row] = Math.min(Math.max(panel[column + row]!, -limits[row]!), limits[row]!);
      }
    }
    const { scales, zeros, maximum } = fit(clipped);
    for (let column = 0; column < size; column += 1) {
      for (let row = 0; row < rows; row += 1) {
        const value = panel[column * rows + row]!;
        const code = codeOf(value, scales[row]!, zeros[row]!, maximum);
        change[row * size + column] = valueOf(code, scales[row]!, zeros[row]!) - value;
      }
    }
    for (const [row, error] of (await outputByRow(blas, change, rows, moment)).entries()) {
      if (error >= least[row]!) continue;
      least[row] = error;
      best.scales[row] = scales[row]!;
      best.zeros[row] = zeros[row]!;
    }
  }
  return best;
}
