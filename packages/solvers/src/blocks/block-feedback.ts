import {
  at,
  InternalError,
  InterruptedError,
  type Factor,
  type SiteWeight,
  type Solution,
  type SolverContext,
} from "@mbs/contracts";
import { blockGrids, quantisationTypeNamed } from "@mbs/gguf";
import { invertOrder, naturalOrder, restoreOrder, transposeInOrder, walkColumns, type ColumnBlock } from "@mbs/numbers";
import { descendCodes } from "../feedback/coordinate-descent.ts";
import { dampedGram } from "../feedback/damped-gram.ts";
import { BlockWeight } from "./block-weight.ts";
import { roundColumns } from "./column-blocks.ts";
import { roundPoints } from "./point-blocks.ts";

export interface BlockFeedback {
  /** A type of `blockGrids`; the weight's columns are whole blocks of it. */
  readonly type: string;
  readonly blockSize: number;
  /** Choose all codes again, so many times, by H = E[x xᵀ] in natural order; default never. */
  readonly descent?: { readonly sweeps: number; readonly gram: Float32Array } | undefined;
}

/**
 * {@link fixColumns} on the grids of a GGUF type. Columns of a block share its scales, so all of these are chosen when the
 * first of its columns is reached, on the weights as they stood when the walk's block began, by what an error of each column
 * costs; then columns are rounded one by one, in any order, or those of a codebook's points together.
 *
 * Sweeps go through the columns in natural order, where sub-blocks are neighbours.
 */
export async function fixBlocks(
  weight: SiteWeight,
  factor: Factor,
  { type, blockSize, descent }: BlockFeedback,
  { blas, signal }: SolverContext,
): Promise<Solution> {
  const { rows, columns } = weight;
  const { order } = factor;
  const grid = blockGrids.get(type);
  if (grid === undefined) throw new InternalError(`nothing is rounded to ${type}`, { type });
  const { rule } = grid;
  const made = new BlockWeight(grid, rows, columns);
  const rounding = (grid.codebook ? roundPoints : roundColumns)(type, made, factor);
  const positions = invertOrder(order);
  const transposed = transposeInOrder(weight.values, rows, columns, order);
  for (const column of factor.dead) {
    const start = at(positions, column) * rows;
    transposed.fill(0, start, start + rows);
  }
  const isSwept = descent !== undefined && descent.sweeps > 0;
  const natural = naturalOrder(columns);
  /** [columns, rows] from the factor's order to the natural one. */
  const turn = <Values extends Float32Array | Uint8Array>(panel: Values): Values => {
    const turned = panel.slice() as Values;
    for (const [position, column] of order.entries()) {
      turned.set(panel.subarray(position * rows, (position + 1) * rows), column * rows);
    }
    return turned;
  };
  const target = isSwept ? turn(transposed) : undefined;
  const codes = new Uint8Array(transposed.length);
  const panel = new Float32Array(rule.columns * rows);

  const fit = async (walked: ColumnBlock, index: number): Promise<void> => {
    const own = positions.subarray(index * rule.columns, (index + 1) * rule.columns);
    const from = own.reduce((least, position) => Math.min(least, position), columns);
    const to = own.reduce((most, position) => Math.max(most, position), 0) + 1;
    const begun = await walked.atBlockStart(from, to);
    for (const [column, position] of own.entries()) {
      panel.set(begun.subarray((position - from) * rows, (position - from + 1) * rows), column * rows);
    }
    made.scales[index] = rounding.fit(panel, own);
  };

  const visit = async (walked: ColumnBlock): Promise<void> => {
    if (signal.aborted) throw new InterruptedError("stopped while solving a site");
    const own = order.subarray(walked.first, walked.first + walked.columns);
    for (const column of own) {
      const index = Math.floor(column / rule.columns);
      if (made.scales[index] === undefined) await fit(walked, index);
    }
    rounding.fix(walked, codes.subarray(walked.first * rows, (walked.first + walked.columns) * rows));
  };
  const weights = { rows: columns, columns: rows, values: transposed };
  // sub-blocks lie whole in each block
  const wholeSize = Math.max(1, Math.floor(blockSize / rule.subColumns)) * rule.subColumns;
  const size = grid.codebook ? wholeSize : blockSize;
  await walkColumns(blas, { weights, upper: factor.upper, blockSize: size, columnGrids: true }, visit);

  let chosen = restoreOrder(codes, rows, columns, order);
  if (descent && target) {
    const swept = turn(codes);
    const hessian = dampedGram(descent.gram, factor);
    const grids = rounding.sweep(blas, swept, hessian);
    const state = { target, values: turn(transposed), hessian, grids, sweeps: descent.sweeps, blockSize: wholeSize };
    await descendCodes(blas, state, signal);
    chosen = restoreOrder(swept, rows, columns, natural);
  }
  const { bytes, values: blockValues, decode } = quantisationTypeNamed(type);
  const blocks = new Uint8Array(((rows * columns) / blockValues) * bytes);
  made.pack(chosen, blocks);
  const values = new Float32Array(rows * columns);
  decode?.(blocks, values);
  return { values, blocks };
}
