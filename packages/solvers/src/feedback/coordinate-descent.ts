import { at, InterruptedError, type Blas, type Matrix } from "@mbs/contracts";
import { createSimdKernel, valueOf, type ColumnKernel, type Grid, type WeightDtype } from "@mbs/numbers";
import { endOfGroup } from "../grids/column-groups.ts";
import { refitScales } from "./scale-refit.ts";

/** Codes that are chosen again. All of it is in the order in which the columns were settled. */
export interface Descent {
  /** Wᵀ that the codes stand for, [columns, rows]. */
  readonly target: Float32Array;
  /** Qᵀ, the values of the codes, [columns, rows]; overwritten. */
  readonly values: Float32Array;
  /** Codes, [columns, rows]; overwritten. */
  readonly codes: Uint8Array;
  /** H, [columns, columns], symmetric, its diagonal above zero. */
  readonly hessian: Float32Array;
  /** The grid of each group; where scales change, the grid is replaced. */
  readonly grids: Grid[];
  /** Group of each position. */
  readonly groupAt: Int32Array;
  /** What scales are rounded to. */
  readonly scaleDtype: WeightDtype;
  /** Times that all columns are gone through. */
  readonly sweeps: number;
  readonly blockSize: number;
}

/** Columns first … first+count-1 of the block: H's rows for them, and what one of them changes in the next. */
function blockOf(hessian: Float32Array, size: number, first: number, count: number) {
  const diagonal = Float32Array.from({ length: count }, (_, column) => at(hessian, (first + column) * (size + 1)));
  // M[j, k] = H[j, k] / H[k, k], how far the best value of k moves against that of j; zero on and below the diagonal
  const moved = new Float32Array(count * count);
  for (let column = 0; column < count; column += 1) {
    const start = (first + column) * size + first;
    for (let later = column + 1; later < count; later += 1) {
      moved[column * count + later] = at(hessian, start + later) / at(diagonal, later);
    }
  }
  return { diagonal, moved };
}

const matrix = (rows: number, columns: number, values: Float32Array): Matrix => ({ rows, columns, values });

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

/** H[first … first+count-1, from … to-1]. */
function hessianPart(hessian: Float32Array, size: number, first: number, count: number, { from, to }: Run): Matrix {
  const part = new Float32Array(count * (to - from));
  for (let row = 0; row < count; row += 1) {
    const start = (first + row) * size;
    part.set(hessian.subarray(start + from, start + to), row * (to - from));
  }
  return matrix(count, to - from, part);
}

/**
 * Gives the groups that lie whole in a block the best scales for their codes, one group after the other.
 *
 * @param gradient (Q - W)·H at the block's columns, [columns of the block, rows]; brought up to date
 */
async function rescaleGroups(blas: Blas, descent: Descent, runs: readonly Run[], first: number, gradient: Float32Array) {
  const { values, codes, hessian, grids, groupAt, scaleDtype } = descent;
  const rows = values.length / groupAt.length;
  const count = gradient.length / rows;
  for (const run of runs) {
    if (!run.whole) continue;
    const { group, from, to } = run;
    const grid = at(grids, group);
    const own = values.subarray(from * rows, to * rows);
    const part = hessianPart(hessian, groupAt.length, first, count, run);
    const products = (await blas.gemm(part, matrix(to - from, rows, own.slice()))).values;
    const inBlock = [(from - first) * rows, (to - first) * rows] as const;
    const frozen = { grid, values: own, gradient: gradient.subarray(...inBlock), products: products.subarray(...inBlock) };
    const scales = refitScales(frozen, scaleDtype);
    const shares = scales.map((scale, row) => scale / at(grid.scales, row) - 1);
    for (let start = 0; start < products.length; start += rows) {
      for (let row = 0; row < rows; row += 1) gradient[start + row]! += products[start + row]! * shares[row]!;
    }
    for (let start = 0; start < own.length; start += rows) {
      for (let row = 0; row < rows; row += 1) {
        own[start + row] = valueOf(codes[from * rows + start + row]!, scales[row]!, grid.zeros[row]!);
      }
    }
    grids[group] = { ...grid, scales };
  }
}

/**
 * Chooses every code again, one column after the other, each as the best for the values that all others have by then: coordinate
 * descent on tr((Q - W)·H·(Q - W)ᵀ), which error feedback leaves well above its minimum, since it looks at later columns alone.
 * Before its codes, a group that lies whole in a block gets the scales that are best for those it has.
 *
 * The best value of column k, before rounding, is q[k] - ((Q - W)·H)[k] / H[k, k]. Inside of a block a new value v[j] moves that
 * of a later column by -(v[j] - q[j])·M[j, k], M = H[j, k] / H[k, k]. The kernel of GPTAQ does this: with U = P = -M and a
 * diagonal of ones it takes v[j]·M[j, k] from w[k], and q[j]·M[j, k] is added before.
 *
 * A sweep costs as much as the walk of GPTQ: rows · columns² multiplications.
 *
 * @see arXiv:2309.01885 (QuantEase)
 * @see arXiv:2602.02126 (scales)
 */
export async function descendCodes(blas: Blas, descent: Descent, signal: AbortSignal): Promise<void> {
  const { target, values, codes, hessian, grids, groupAt, sweeps, blockSize } = descent;
  const size = groupAt.length;
  const sizes = sizesOf(groupAt);
  const rows = target.length / size;
  // Qᵀ - Wᵀ
  const errors = new Float32Array(values.length);
  for (let index = 0; index < errors.length; index += 1) errors[index] = values[index]! - target[index]!;
  let kernel: ColumnKernel | undefined;
  let kernelColumns = 0;
  for (let sweep = 0; sweep < sweeps; sweep += 1) {
    for (let first = 0; first < size; first += blockSize) {
      if (signal.aborted) throw new InterruptedError("stopped while solving a site");
      const count = Math.min(blockSize, size - first);
      if (kernel === undefined || kernelColumns !== count) {
        kernel = createSimdKernel(count, rows, { asymmetric: true });
        kernelColumns = count;
      }
      const { diagonal, moved } = blockOf(hessian, size, first, count);
      const part = [first * rows, (first + count) * rows] as const;
      const own = values.subarray(...part);
      const panel = matrix(count, size, hessian.slice(first * size, (first + count) * size));
      const gradient = (await blas.gemm(panel, matrix(size, rows, errors))).values;
      const runs = runsOf(groupAt, sizes, first, first + count);
      await rescaleGroups(blas, descent, runs, first, gradient);
      const best = kernel.weights;
      for (let column = 0; column < count; column += 1) {
        const scale = 1 / at(diagonal, column);
        for (let index = column * rows; index < (column + 1) * rows; index += 1) {
          best[index] = own[index]! - scale * gradient[index]!;
        }
      }
      const carried = matrix(count, rows, best.slice());
      const added = await blas.gemm(matrix(count, count, moved), matrix(count, rows, own.slice()), {
        transposeA: true,
        add: carried,
        into: carried.values,
      });
      best.set(added.values);
      const against = moved.map((share) => -share);
      kernel.asymmetry?.set(against);
      for (let column = 0; column < count; column += 1) against[column * (count + 1)] = 1;
      kernel.upper.set(against);
      for (const { group, from, to } of runs) {
        codes.set(kernel.settle(from - first, to - first, { grid: at(grids, group) }), from * rows);
      }
      own.set(kernel.weights);
      for (let index = part[0]; index < part[1]; index += 1) errors[index] = values[index]! - target[index]!;
    }
  }
}
