import {
  InterruptedError,
  type Factor,
  type QuantisedWeight,
  type SiteWeight,
  type Solution,
  type SolverContext,
} from "@mbs/contracts";
import {
  createGridFitter,
  permuteSymmetric,
  restoreOrder,
  transposeInOrder,
  walkColumns,
  type ColumnBlock,
  type FittedGrid,
  type GridRule,
} from "@mbs/numbers";
import { descendCodes } from "./coordinate-descent.ts";
import { dampedGram, importancesAt } from "./damped-gram.ts";
import { sweptGroups } from "./group-sweeps.ts";
import { endOfGroup, type ColumnGroups } from "../grids/column-groups.ts";

/** How columns are rounded, one after the other. */
export interface Rounding {
  readonly rule: GridRule;
  readonly groups: ColumnGroups;
  /**
   * `beforehand`: on the weights as they were. `reference`: when a group is reached, on the weights as they stood when
   * the block began, as the reference programs do. `updated`: the same with the block's own updates.
   */
  readonly fit: "beforehand" | "reference" | "updated";
}

/** How columns are pruned, one after the other. */
export interface Pruning {
  /** Columns that are decided together, from the start of each block. */
  readonly span: number;
  /** Decides columns from … to-1 of a block: 1 where a weight is kept, [to - from, rows]. */
  choose(block: ColumnBlock, from: number, to: number): Uint8Array;
}

export interface ErrorFeedback {
  readonly blockSize: number;
  readonly rounding?: Rounding | undefined;
  readonly pruning?: Pruning | undefined;
  /** Choose all codes again, so many times, by H = E[x xᵀ] in natural order; default never. */
  readonly descent?: { readonly sweeps: number; readonly gram: Float32Array } | undefined;
  /** P of GPTAQ, [columns, columns], in the factor's order, zero on and below its diagonal. */
  readonly asymmetry?: Float32Array | undefined;
}

/** Positions of a group, wherever they are. */
const positionsOf = (groupAt: Int32Array, group: number): number[] =>
  [...groupAt.keys()].filter((position) => groupAt[position] === group);

/** Wᵀ of some columns, [columns, rows]. */
function gatherColumns(transposed: Float32Array, rows: number, positions: readonly number[]): Float32Array {
  const gathered = new Float32Array(positions.length * rows);
  for (const [index, position] of positions.entries()) {
    gathered.set(transposed.subarray(position * rows, (position + 1) * rows), index * rows);
  }
  return gathered;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

/** Weights of positions from … to-1 for a grid that is fitted when its group is reached. */
async function weightsOfGroup(block: ColumnBlock, from: number, to: number, fit: Rounding["fit"]): Promise<Float32Array> {
  if (fit === "reference" || from === block.first) return block.atBlockStart(from, to);
  const blockEnd = Math.min(to, block.first + block.columns);
  const own = block.weights.subarray((from - block.first) * block.rows, (blockEnd - block.first) * block.rows);
  if (blockEnd === to) return own;
  const joined = new Float32Array((to - from) * block.rows);
  joined.set(own);
  joined.set(await block.atBlockStart(blockEnd, to), own.length);
  return joined;
}

/** [groups, rows] → [rows, groups]. */
const byRow = <Values extends Float32Array | Uint8Array>(
  target: Values,
  grids: readonly FittedGrid[],
  key: "scales" | "zeros",
): Values => {
  for (const [group, grid] of grids.entries()) {
    for (const [row, value] of grid[key].entries()) target[row * grids.length + group] = value;
  }
  return target;
};

/**
 * Fixes the columns of a site's weights one after another; later columns compensate for the error of each.
 *
 * Dead columns are set to zero first. Rows are independent but for masks that are chosen over several of them.
 *
 * @see arXiv:2210.17323 algorithm 1, arXiv:2301.00774 algorithm 1, arXiv:2504.02692 algorithm 1
 */
export async function fixColumns(
  weight: SiteWeight,
  factor: Factor,
  { blockSize, rounding, pruning, asymmetry, descent }: ErrorFeedback,
  { blas, signal }: SolverContext,
): Promise<Solution> {
  const { rows, columns } = weight;
  const { order } = factor;
  const fit = rounding && createGridFitter(rounding.groups.groupSize, rows, rounding.rule);
  const importances = (positions: readonly number[]): Float32Array | undefined =>
    rounding?.rule.search === "hessian" ? importancesAt(factor, positions) : undefined;
  const transposed = transposeInOrder(weight.values, rows, columns, order);
  const grids: FittedGrid[] = [];
  const fitAll = () => {
    if (rounding?.fit !== "beforehand" || fit === undefined) return;
    for (let group = 0; group < rounding.groups.groups; group += 1) {
      const positions = positionsOf(rounding.groups.groupAt, group);
      grids.push(fit(gatherColumns(transposed, rows, positions), importances(positions)));
    }
  };
  // one grid a row is fitted before dead columns are cleared, as in the reference programs
  if (rounding?.groups.groups === 1) fitAll();
  const dead = new Set(factor.dead);
  for (const [position, column] of order.entries()) {
    if (dead.has(column)) transposed.fill(0, position * rows, (position + 1) * rows);
  }
  if (rounding && rounding.groups.groups > 1) fitAll();
  const target = descent && descent.sweeps > 0 ? transposed.slice() : undefined;

  const codes = new Uint8Array(rounding ? transposed.length : 0);
  const mask = new Uint8Array(pruning ? transposed.length : 0);

  const visit = async (block: ColumnBlock): Promise<void> => {
    if (signal.aborted) throw new InterruptedError("stopped while solving a site");
    const span = pruning?.span ?? block.columns;
    for (let start = 0; start < block.columns; start += span) {
      const end = Math.min(start + span, block.columns);
      const chosen = pruning?.choose(block, start, end);
      if (chosen) mask.set(chosen, (block.first + start) * rows);
      for (let from = start; from < end;) {
        const position = block.first + from;
        const group = rounding?.groups.groupAt[position];
        const groupEnd = rounding ? endOfGroup(rounding.groups.groupAt, position) : columns;
        if (rounding && fit && group !== undefined && !grids[group]) {
          const weights = await weightsOfGroup(block, position, groupEnd, rounding.fit);
          grids[group] = fit(weights, importances(range(position, groupEnd)));
        }
        const to = Math.min(end, groupEnd - block.first);
        const fixed = block.fix(from, to, {
          ...(rounding && group !== undefined && { grid: grids[group] }),
          ...(chosen && { mask: chosen.subarray((from - start) * rows, (to - start) * rows) }),
        });
        if (rounding) codes.set(fixed, position * rows);
        from = to;
      }
    }
  };
  await walkColumns(
    blas,
    { weights: { rows: columns, columns: rows, values: transposed }, upper: factor.upper, asymmetry, blockSize },
    visit,
  );

  if (rounding && descent && target) {
    const { groupAt } = rounding.groups;
    const { sweeps } = descent;
    const hessian = permuteSymmetric(dampedGram(descent.gram, factor), order);
    const swept = sweptGroups(blas, { codes, hessian, grids, groupAt, scaleDtype: rounding.rule.scaleDtype });
    await descendCodes(blas, { target, values: transposed, hessian, grids: swept, sweeps, blockSize }, signal);
  }

  const quantised: QuantisedWeight | undefined = rounding && {
    bits: rounding.rule.grid.bits,
    symmetric: rounding.rule.grid.zeroPoints === "middle",
    groupSize: rounding.groups.groupSize,
    groupOf: rounding.groups.groupOf,
    codes: restoreOrder(codes, rows, columns, order),
    scales: byRow(new Float32Array(rows * grids.length), grids, "scales"),
    zeros: byRow(new Uint8Array(rows * grids.length), grids, "zeros"),
  };
  return {
    values: restoreOrder(transposed, rows, columns, order),
    ...(quantised && { quantised }),
    ...(pruning && { mask: restoreOrder(mask, rows, columns, order) }),
  };
}
