import { InterruptedError, at, type Blas, type Matrix } from "@mbs/contracts";
import { createSimdKernel, type ColumnKernel } from "@mbs/numbers";

/** A block of columns whose codes are chosen again. */
export interface SweptBlock {
  /** First position. */
  readonly first: number;
  readonly count: number;
  /** Qᵀ of the block, [count, rows]; overwritten. */
  readonly values: Float32Array;
  /** ((Q - W)·H)ᵀ at the block's columns, [count, rows]; brought up to date. */
  readonly gradient: Float32Array;
}

/** The grids on which codes are chosen again. */
export interface SweptGrids {
  /** Whether columns have grids of their own. */
  readonly columnGrids: boolean;
  /** Gives grids that lie whole in a block the best scales for the codes that they have, before any of its codes is chosen. */
  rescale?(block: SweptBlock): Promise<void>;
  /** Fixes the block's columns by the kernel, and keeps their codes. */
  fix(kernel: ColumnKernel, block: SweptBlock): void;
}

/** Codes that are chosen again. All of it is in one order of the columns. */
export interface Descent {
  /** Wᵀ that the codes stand for, [columns, rows]. */
  readonly target: Float32Array;
  /** Qᵀ, the values of the codes, [columns, rows]; overwritten. */
  readonly values: Float32Array;
  /** H, [columns, columns], symmetric, its diagonal above zero. */
  readonly hessian: Float32Array;
  readonly grids: SweptGrids;
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
      moved[column * count + later] = hessian[start + later]! / diagonal[later]!;
    }
  }
  return { diagonal, moved };
}

// loops of their own: within an async function they take twice as long

function writeDifference(difference: Float32Array, values: Float32Array, others: Float32Array): void {
  for (let index = 0; index < difference.length; index += 1) difference[index] = values[index]! - others[index]!;
}

/** The best value of each column before rounding, all others as they are: q - g / H[k, k], [columns, rows]. */
function writeBest(best: Float32Array, values: Float32Array, gradient: Float32Array, diagonal: Float32Array): void {
  const rows = best.length / diagonal.length;
  for (const [column, curvature] of diagonal.entries()) {
    const scale = 1 / curvature;
    for (let index = column * rows; index < (column + 1) * rows; index += 1) {
      best[index] = values[index]! - scale * gradient[index]!;
    }
  }
}

const matrix = (rows: number, columns: number, values: Float32Array): Matrix => ({ rows, columns, values });

/**
 * Chooses every code again, one column after the other, each as the best for the values that all others have by then: coordinate
 * descent on tr((Q - W)·H·(Q - W)ᵀ), which error feedback leaves well above its minimum, since it looks at later columns alone.
 * Before its codes, a group that lies whole in a block gets the scales that are best for those it has.
 *
 * The best value of column k, before rounding, is q[k] - ((Q - W)·H)[k] / H[k, k]. Inside of a block a new value v[j] moves that
 * of a later column by -(v[j] - q[j])·M[j, k], M = H[j, k] / H[k, k]: q[j]·M[j, k] is added before, and the kernel takes
 * v[j]·M[j, k] from it.
 *
 * A sweep costs as much as the walk of GPTQ: rows · columns² multiplications.
 *
 * @see arXiv:2309.01885 (QuantEase)
 * @see arXiv:2602.02126 (scales)
 */
export async function descendCodes(blas: Blas, descent: Descent, signal: AbortSignal): Promise<void> {
  const { target, values, hessian, grids, sweeps, blockSize } = descent;
  const size = Math.round(Math.sqrt(hessian.length));
  const rows = target.length / size;
  const { columnGrids } = grids;
  // Qᵀ - Wᵀ
  const errors = new Float32Array(values.length);
  writeDifference(errors, values, target);
  // of the blocks of one size, one after the other
  let kernel: ColumnKernel | undefined;
  let [gradient, best] = [new Float32Array(0), new Float32Array(0)];
  for (let sweep = 0; sweep < sweeps; sweep += 1) {
    for (let first = 0; first < size; first += blockSize) {
      if (signal.aborted) throw new InterruptedError("stopped while solving a site");
      const count = Math.min(blockSize, size - first);
      if (kernel === undefined || best.length !== count * rows) {
        kernel = createSimdKernel(count, rows, { carriesValues: true, columnGrids });
        [gradient, best] = [new Float32Array(count * rows), new Float32Array(count * rows)];
      }
      const { diagonal, moved } = blockOf(hessian, size, first, count);
      const part = [first * rows, (first + count) * rows] as const;
      const own = values.subarray(...part);
      const panel = matrix(count, size, hessian.subarray(first * size, (first + count) * size));
      await blas.gemm(panel, matrix(size, rows, errors), { into: gradient });
      const block = { first, count, values: own, gradient };
      await grids.rescale?.(block);
      writeBest(best, own, gradient, diagonal);
      const added = { transposeA: true, add: matrix(count, rows, best), into: best };
      await blas.gemm(matrix(count, count, moved), matrix(count, rows, own), added);
      kernel.weights.set(best);
      kernel.upper.set(moved);
      grids.fix(kernel, block);
      own.set(kernel.weights);
      writeDifference(errors.subarray(...part), own, target.subarray(...part));
    }
  }
}
