import { at, InterruptedError, type Blas, type Matrix } from "@mbs/contracts";
import { createSimdKernel, type ColumnKernel, type Grid } from "@mbs/numbers";

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
  /** The grid of each position. */
  readonly gridAt: (position: number) => Grid;
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

/** First position after `from` with another grid, `end` at most. */
function endOfGrid(gridAt: Descent["gridAt"], from: number, end: number): number {
  let to = from + 1;
  while (to < end && gridAt(to) === gridAt(from)) to += 1;
  return to;
}

/**
 * Chooses every code again, one column after the other, each as the best for the values that all others have by then: coordinate
 * descent on tr((Q - W)·H·(Q - W)ᵀ), which error feedback leaves well above its minimum, since it looks at later columns alone.
 *
 * The best value of column k, before rounding, is q[k] - ((Q - W)·H)[k] / H[k, k]. Inside of a block a new value v[j] moves that
 * of a later column by -(v[j] - q[j])·M[j, k], M = H[j, k] / H[k, k]. The kernel of GPTAQ does this: with U = P = -M and a
 * diagonal of ones it takes v[j]·M[j, k] from w[k], and q[j]·M[j, k] is added before.
 *
 * A sweep costs as much as the walk of GPTQ: rows · columns² multiplications.
 *
 * @see arXiv:2309.01885 (QuantEase)
 */
export async function descendCodes(blas: Blas, descent: Descent, signal: AbortSignal): Promise<void> {
  const { target, values, codes, hessian, gridAt, sweeps, blockSize } = descent;
  const size = Math.round(Math.sqrt(hessian.length));
  const rows = target.length / size;
  // Qᵀ - Wᵀ
  const errors = values.map((value, index) => value - at(target, index));
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
      const gradient = await blas.gemm(panel, matrix(size, rows, errors));
      const best = kernel.weights;
      for (let column = 0; column < count; column += 1) {
        const scale = 1 / at(diagonal, column);
        for (let index = column * rows; index < (column + 1) * rows; index += 1) {
          best[index] = at(own, index) - scale * at(gradient.values, index);
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
      for (let from = first; from < first + count;) {
        const to = endOfGrid(gridAt, from, first + count);
        codes.set(kernel.settle(from - first, to - first, { grid: gridAt(from) }), from * rows);
        from = to;
      }
      own.set(kernel.weights);
      const ownErrors = errors.subarray(...part);
      const ownTarget = target.subarray(...part);
      for (const [index, value] of own.entries()) ownErrors[index] = value - at(ownTarget, index);
    }
  }
}
