import type { Blas } from "@mbs/contracts";
import type { Grid } from "@mbs/numbers";
import { outputByRow } from "../output-error.ts";
import { codeOf, fitGrid, valueOf, type GridRule } from "./quantisation-grid.ts";

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
  readonly rule: GridRule;
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
export async function clippedGrid(blas: Blas, panel: Float32Array, { rows, first, gram, rule }: ClippedGroup): Promise<Grid> {
  const size = panel.length / rows;
  const moment = { gram: diagonalBlock(gram, first, size) };
  const largest = new Float32Array(rows);
  for (const [index, value] of panel.entries()) largest[index % rows] = Math.max(largest[index % rows]!, Math.abs(value));
  const best = fitGrid(panel, rows, rule);
  const least = new Float64Array(rows).fill(Infinity);
  for (let step = 0; step < shrinkSteps; step += 1) {
    const share = Math.fround(1 - step / shrinkGrid);
    const limits = largest.map((value) => value * share);
    const clipped = panel.map((value, index) => {
      const limit = limits[index % rows]!;
      return Math.min(Math.max(value, -limit), limit);
    });
    const grid = fitGrid(clipped, rows, rule);
    const change = new Float32Array(panel.length);
    for (const [index, value] of panel.entries()) {
      const row = index % rows;
      const code = codeOf(value, grid.scales[row]!, grid.zeros[row]!, grid.maximum);
      change[row * size + Math.floor(index / rows)] = valueOf(code, grid.scales[row]!, grid.zeros[row]!) - value;
    }
    for (const [row, error] of (await outputByRow(blas, change, rows, moment)).entries()) {
      if (error >= least[row]!) continue;
      least[row] = error;
      best.scales[row] = grid.scales[row]!;
      best.zeros[row] = grid.zeros[row]!;
    }
  }
  return best;
}
