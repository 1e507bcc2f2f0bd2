import { at, type Blas } from "@mbs/contracts";
import {
  createGroupRescaler,
  roundTo,
  type FittedGrid,
  type GroupRescaler,
  type ScaleSums,
  type WeightDtype,
} from "@mbs/numbers";
import { endOfGroup } from "../grids/column-groups.ts";
import type { SweptBlock, SweptGrids } from "./coordinate-descent.ts";
import type { Matrix } from "@mbs/contracts";

/** H[first … first+count-1, from … to-1] of a block of columns, whole as a matrix. */
export function hessianPart(
  hessian: Float32Array,
  { first, count }: { readonly first: number; readonly count: number },
  from: number,
  to: number,
): Matrix {
  const size = Math.round(Math.sqrt(hessian.length));
  const values = new Float32Array(count * (to - from));
  for (let row = 0; row < count; row += 1) {
    const start = (first + row) * size;
    values.set(hessian.subarray(start + from, start + to), row * (to - from));
  }
  return { rows: count, columns: to - from, values };
}

/**
 * The scales of a group with the least tr((Q - W)·H·(Q - W)ᵀ), its codes and everything else as they are: with q the row's
 * values of the group and g its gradient, s is multiplied by 1 - (q·g) / (q·H·qᵀ). A scale that is worse once rounded is left
 * as it was.
 *
 * @returns one scale a row
 * @see arXiv:2602.02126
 */
function refitScales(scales: Float32Array, { slopes, curvatures }: ScaleSums, dtype: WeightDtype): Float32Array {
  const wanted = scales.map((scale, row) => {
    const curvature = at(curvatures, row);
    return curvature > 0 ? scale * (1 - at(slopes, row) / curvature) : scale;
  });
  return roundTo(dtype, wanted).map((scale, row) => {
    const change = scale / at(scales, row) - 1;
    const isBetter = scale > 0 && change * (2 * at(slopes, row) + change * at(curvatures, row)) < 0;
    return isBetter ? scale : at(scales, row);
  });
}

/** Codes on grids of groups. All of it is in the order in which the columns were fixed. */
export interface GroupCodes {
  /** Codes, [columns, rows]; overwritten. */
  readonly codes: Uint8Array;
  /** H, [columns, columns]. */
  readonly hessian: Float32Array;
  /** The grid of each group; where scales change, the grid is replaced. */
  readonly grids: FittedGrid[];
  /** Group of each position. */
  readonly groupAt: Int32Array;
  /** What scales are rounded to. */
  readonly scaleDtype: WeightDtype;
}

/** Neighbouring positions of one group within a block; `whole` where the group has no others. */
interface Run {
  readonly group: number;
  readonly from: number;
  readonly to: number;
  readonly whole: boolean;
}

/** The runs of positions first … end-1. */
function runsOf(groupAt: Int32Array, sizes: ReadonlyMap<number, number>, first: number, end: number): Run[] {
  const runs: Run[] = [];
  for (let from = first; from < end;) {
    const group = at(groupAt, from);
    const to = Math.min(endOfGroup(groupAt, from), end);
    runs.push({ group, from, to, whole: to - from === sizes.get(group) });
    from = to;
  }
  return runs;
}

/** Positions that each group has. */
function sizesOf(groupAt: Int32Array): Map<number, number> {
  const sizes = new Map<number, number>();
  for (const group of groupAt) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  return sizes;
}

/**
 * Gives groups the best scales for their codes, one group after the other.
 *
 * @param runs of groups that lie whole in the block
 */
async function rescaleGroups(
  blas: Blas,
  { codes, hessian, grids, scaleDtype }: GroupCodes,
  runs: readonly Run[],
  block: SweptBlock,
  rescaler: GroupRescaler,
): Promise<void> {
  const { first, count } = block;
  const rows = block.values.length / count;
  const { values, gradient, products } = rescaler;
  values.set(block.values);
  gradient.set(block.gradient);
  for (const { group, from, to } of runs) {
    const own = values.subarray((from - first) * rows, (to - first) * rows);
    const part = hessianPart(hessian, block, from, to);
    await blas.gemm(part, { rows: to - from, columns: rows, values: own }, { into: products });
    const grid = at(grids, group);
    const scales = refitScales(grid.scales, rescaler.sums(from - first, to - first), scaleDtype);
    const changes = scales.map((scale, row) => scale / at(grid.scales, row) - 1);
    grids[group] = { ...grid, scales };
    rescaler.rescale(from - first, to - first, changes, codes.subarray(from * rows, to * rows), at(grids, group));
  }
  block.values.set(values);
  block.gradient.set(gradient);
}

/** Grids of groups, for sweeps over their codes. */
export function sweptGroups(blas: Blas, made: GroupCodes): SweptGrids {
  const { codes, grids, groupAt } = made;
  const sizes = sizesOf(groupAt);
  const rows = codes.length / groupAt.length;
  const runsIn = ({ first, count }: SweptBlock): Run[] => runsOf(groupAt, sizes, first, first + count);
  // of the blocks of one size, one after the other
  let rescaler: GroupRescaler | undefined;
  return {
    columnGrids: false,
    async rescale(block) {
      const whole = runsIn(block).filter((run) => run.whole);
      if (whole.length === 0) return;
      if (rescaler?.values.length !== block.values.length) rescaler = createGroupRescaler(block.count, rows);
      await rescaleGroups(blas, made, whole, block, rescaler);
    },
    fix(kernel, block) {
      for (const { group, from, to } of runsIn(block)) {
        const fixed = kernel.fix(from - block.first, to - block.first, { grid: at(grids, group) });
        codes.set(fixed, from * rows);
      }
    },
  };
}
