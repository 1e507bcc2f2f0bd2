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

/** The weights of a site while their columns are fixed. */
class ColumnFixing {
  /** Wᵀ in the factor's order, [columns, rows]. */
  readonly transposed: Float32Array;
  readonly #rows: number;
  readonly #columns: number;
  readonly #factor: Factor;
  readonly #feedback: ErrorFeedback;
  readonly #fit: ReturnType<typeof createGridFitter> | undefined;
  /** By group. */
  readonly #grids: FittedGrid[] = [];
  /** [columns, rows], as the mask; both empty where nothing makes them. */
  readonly #codes: Uint8Array;
  readonly #mask: Uint8Array;

  constructor({ values, rows, columns }: SiteWeight, factor: Factor, feedback: ErrorFeedback) {
    const { rounding, pruning } = feedback;
    this.transposed = transposeInOrder(values, rows, columns, factor.order);
    this.#rows = rows;
    this.#columns = columns;
    this.#factor = factor;
    this.#feedback = feedback;
    this.#fit = rounding && createGridFitter(rounding.groups.groupSize, rows, rounding.rule);
    this.#codes = new Uint8Array(rounding ? values.length : 0);
    this.#mask = new Uint8Array(pruning ? values.length : 0);
  }

  /** Sets dead columns to zero, and fits the grids that are fitted beforehand. */
  prepare(): void {
    const groups = this.#feedback.rounding?.groups.groups ?? 0;
    // one grid a row is fitted before dead columns are cleared, as in the reference programs
    if (groups === 1) this.#fitBeforehand();
    const dead = new Set(this.#factor.dead);
    for (const [position, column] of this.#factor.order.entries()) {
      if (dead.has(column)) this.transposed.fill(0, position * this.#rows, (position + 1) * this.#rows);
    }
    if (groups > 1) this.#fitBeforehand();
  }

  async fixBlock(block: ColumnBlock): Promise<void> {
    const { pruning } = this.#feedback;
    const span = pruning?.span ?? block.columns;
    for (let start = 0; start < block.columns; start += span) {
      const end = Math.min(start + span, block.columns);
      const chosen = pruning?.choose(block, start, end);
      if (chosen) this.#mask.set(chosen, (block.first + start) * this.#rows);
      await this.#fixSpan(block, start, end, chosen);
    }
  }

  /** Chooses all codes again. @param target Wᵀ as it was, dead columns at zero */
  async descend(
    { sweeps, gram }: NonNullable<ErrorFeedback["descent"]>,
    target: Float32Array,
    { blas, signal }: SolverContext,
  ): Promise<void> {
    const { rounding, blockSize } = this.#feedback;
    if (rounding === undefined) return;
    const { groupAt } = rounding.groups;
    const hessian = permuteSymmetric(dampedGram(gram, this.#factor), this.#factor.order);
    const solved = { codes: this.#codes, hessian, grids: this.#grids, groupAt, scaleDtype: rounding.rule.scaleDtype };
    const grids = sweptGroups(blas, solved);
    await descendCodes(blas, { target, values: this.transposed, hessian, grids, sweeps, blockSize }, signal);
  }

  solution(): Solution {
    const { rounding, pruning } = this.#feedback;
    const [rows, columns, grids] = [this.#rows, this.#columns, this.#grids];
    const { order } = this.#factor;
    const quantised: QuantisedWeight | undefined = rounding && {
      bits: rounding.rule.grid.bits,
      symmetric: rounding.rule.grid.zeroPoints === "middle",
      groupSize: rounding.groups.groupSize,
      groupOf: rounding.groups.groupOf,
      codes: restoreOrder(this.#codes, rows, columns, order),
      scales: byRow(new Float32Array(rows * grids.length), grids, "scales"),
      zeros: byRow(new Uint8Array(rows * grids.length), grids, "zeros"),
    };
    return {
      values: restoreOrder(this.transposed, rows, columns, order),
      ...(quantised && { quantised }),
      ...(pruning && { mask: restoreOrder(this.#mask, rows, columns, order) }),
    };
  }

  #importances(positions: readonly number[]): Float32Array | undefined {
    return this.#feedback.rounding?.rule.search === "hessian" ? importancesAt(this.#factor, positions) : undefined;
  }

  #fitBeforehand(): void {
    const { rounding } = this.#feedback;
    if (rounding?.fit !== "beforehand" || this.#fit === undefined) return;
    for (let group = 0; group < rounding.groups.groups; group += 1) {
      const positions = positionsOf(rounding.groups.groupAt, group);
      this.#grids.push(this.#fit(gatherColumns(this.transposed, this.#rows, positions), this.#importances(positions)));
    }
  }

  /** Fixes columns start … end-1 of a block, each group by its grid. @param kept the mask of these columns */
  async #fixSpan(block: ColumnBlock, start: number, end: number, kept: Uint8Array | undefined): Promise<void> {
    const { rounding } = this.#feedback;
    const [rows, grids, fit] = [this.#rows, this.#grids, this.#fit];
    for (let from = start; from < end;) {
      const position = block.first + from;
      const group = rounding?.groups.groupAt[position];
      const groupEnd = rounding ? endOfGroup(rounding.groups.groupAt, position) : this.#columns;
      if (rounding && fit && group !== undefined && !grids[group]) {
        const weights = await weightsOfGroup(block, position, groupEnd, rounding.fit);
        grids[group] = fit(weights, this.#importances(range(position, groupEnd)));
      }
      const to = Math.min(end, groupEnd - block.first);
      const fixed = block.fix(from, to, {
        ...(rounding && group !== undefined && { grid: grids[group] }),
        ...(kept && { mask: kept.subarray((from - start) * rows, (to - start) * rows) }),
      });
      if (rounding) this.#codes.set(fixed, position * rows);
      from = to;
    }
  }
}

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
  feedback: ErrorFeedback,
  context: SolverContext,
): Promise<Solution> {
  const { blockSize, asymmetry, descent } = feedback;
  const fixing = new ColumnFixing(weight, factor, feedback);
  const { transposed } = fixing;
  fixing.prepare();
  const target = descent && descent.sweeps > 0 ? transposed.slice() : undefined;
  const weights = { rows: weight.columns, columns: weight.rows, values: transposed };
  await walkColumns(context.blas, { weights, upper: factor.upper, asymmetry, blockSize }, (block) => {
    if (context.signal.aborted) throw new InterruptedError("stopped while solving a site");
    return fixing.fixBlock(block);
  });
  if (descent && target) await fixing.descend(descent, target, context);
  return fixing.solution();
}
