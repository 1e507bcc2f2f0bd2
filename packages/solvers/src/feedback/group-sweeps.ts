import { at, type Blas } from "@mbs/contracts";
import { valueOf, type Grid, type WeightDtype, roundTo } from "@mbs/numbers";
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

/** Columns of all rows that are scaled together and whose codes stay. All arrays are [columns, rows], in the order of fixing. */
export interface FrozenValues {
  /** Values of its codes. */
  readonly values: Float32Array;
  /** (Q - W)·H at its columns. */
  readonly gradient: Float32Array;
  /** Q·H of these columns by themselves, at the same. */
  readonly products: Float32Array;
}

/** q·g and q·H·qᵀ of each row: with a scale times 1 + c the loss changes by c · (2·slope + c·curvature). */
export function scaleSums(
  { values, gradient, products }: FrozenValues,
  rows: number,
): { readonly slopes: Float64Array; readonly curvatures: Float64Array } {
  const slopes = new Float64Array(rows);
  const curvatures = new Float64Array(rows);
  for (let start = 0; start < values.length; start += rows) {
    for (let row = 0; row < rows; row += 1) {
      const value = values[start + row]!;
      slopes[row]! += value * gradient[start + row]!;
      curvatures[row]! += value * products[start + row]!;
    }
  }
  return { slopes, curvatures };
}

/** A group whose codes stay. */
interface FrozenGroup extends FrozenValues {
  readonly grid: Grid;
}

/**
 * The scales of a group with the least tr((Q - W)·H·(Q - W)ᵀ), its codes and everything else as they are: with q the row's
 * values of the group and g its gradient, s is multiplied by 1 - (q·g) / (q·H·qᵀ). A scale that is worse once rounded is left
 * as it was.
 *
 * @returns one scale a row
 * @see arXiv:2602.02126
 */
function refitScales({ grid, values, gradient, products }: FrozenGroup, dtype: WeightDtype): Float32Array {
  const { scales } = grid;
  const { slopes, curvatures } = scaleSums({ values, gradient, products }, scales.length);
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
  readonly grids: Grid[];
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

// loops of their own: within an async function they take twice as long

/** Adds addends · a factor a row. Both are [columns, rows]. */
function addTimes(sums: Float32Array, addends: Float32Array, factors: Float32Array): void {
  const rows = factors.length;
  for (let start = 0; start < addends.length; start += rows) {
    for (let row = 0; row < rows; row += 1) sums[start + row]! += addends[start + row]! * factors[row]!;
  }
}

/** The values of codes, both [columns, rows]. */
function writeValues(values: Float32Array, codes: Uint8Array, { scales, zeros }: Grid): void {
  const rows = scales.length;
  for (let start = 0; start < values.length; start += rows) {
    for (let row = 0; row < rows; row += 1) values[start + row] = valueOf(codes[start + row]!, scales[row]!, zeros[row]!);
  }
}

/** Gives the groups that lie whole in a block the best scales for their codes, one group after the other. */
async function rescaleGroups(blas: Blas, made: GroupCodes, runs: readonly Run[], block: SweptBlock): Promise<void> {
  const { codes, hessian, grids, scaleDtype } = made;
  const { first, count, values, gradient } = block;
  const rows = values.length / count;
  for (const run of runs) {
    if (!run.whole) continue;
    const { group, from, to } = run;
    const grid = at(grids, group);
    const inBlock = [(from - first) * rows, (to - first) * rows] as const;
    const own = values.subarray(...inBlock);
    const part = hessianPart(hessian, block, from, to);
    const { values: products } = await blas.gemm(part, { rows: to - from, columns: rows, values: own.slice() });
    const frozen = { grid, values: own, gradient: gradient.subarray(...inBlock), products: products.subarray(...inBlock) };
    const scales = refitScales(frozen, scaleDtype);
    addTimes(
      gradient,
      products,
      scales.map((scale, row) => scale / at(grid.scales, row) - 1),
    );
    grids[group] = { ...grid, scales };
    writeValues(own, codes.subarray(from * rows, to * rows), at(grids, group));
  }
}

/** Grids of groups, for sweeps over their codes. */
export function sweptGroups(blas: Blas, made: GroupCodes): SweptGrids {
  const { codes, grids, groupAt } = made;
  const sizes = sizesOf(groupAt);
  const rows = codes.length / groupAt.length;
  const runsIn = ({ first, count }: SweptBlock): Run[] => runsOf(groupAt, sizes, first, first + count);
  return {
    columnGrids: false,
    rescale: (block) => rescaleGroups(blas, made, runsIn(block), block),
    fix(kernel, block) {
      for (const { group, from, to } of runsIn(block)) {
        const fixed = kernel.fix(from - block.first, to - block.first, { grid: at(grids, group) });
        codes.set(fixed, from * rows);
      }
    },
  };
}
