import { at, InternalError } from "@mbs/contracts";
import type { Blas, Matrix } from "@mbs/contracts";
import { createSimdKernel } from "./column-kernel-simd.ts";
import type { Choice, ColumnKernel } from "./column-kernel.ts";

/** The weights and the factor that a walk goes through. */
export interface ColumnWalk {
  /** Wᵀ, [columns, rows], columns in the factor's order; overwritten with the final values. */
  readonly weights: Matrix;
  /** U, [columns, columns], row-major, H⁻¹ = UᵀU in the same order. */
  readonly upper: Float32Array;
  /** P of GPTAQ, [columns, columns], in the same order, zero on and below its diagonal; default none. */
  readonly asymmetry?: Float32Array | undefined;
  /** Columns a block, the last block may be smaller; the papers use 128. */
  readonly blockSize: number;
  /** Whether columns get grids of their own; default false. */
  readonly columnGrids?: boolean | undefined;
}

/** The block of columns that is being processed. Columns within it count from 0: column c of the block is `first + c` of the walk. */
export interface ColumnBlock {
  /** First column, in the order of the walk. */
  readonly first: number;
  readonly columns: number;
  /** Rows of W. */
  readonly rows: number;
  /** Wᵀ of the block, [columns, rows], up to date with every column fixed so far. */
  readonly weights: Float32Array;
  /** U[j, j] of the block's columns. */
  readonly diagonal: Float32Array;
  /**
   * Wᵀ of any columns from this block on, as they stood when the block began: up to date with all earlier blocks, not with
   * this one's fixed columns. The reference programs fit their grids on it, also for groups that reach beyond the block.
   *
   * @param from first column, in the order of the walk, ≥ first
   * @returns a view, [to - from, rows]
   */
  atBlockStart(from: number, to: number): Promise<Float32Array>;
  /** {@link ColumnKernel.fix}: decides columns from … to-1 of the block, all in order until the block is done. */
  fix(from: number, to: number, choice: Choice): Uint8Array;
}

/** Columns from … to-1 of the rows above: U[0:height, from:to], contiguous. */
function upperPanel(upper: Float32Array, size: number, top: number, bottom: number, from: number, to: number): Matrix {
  const columns = to - from;
  const values = new Float32Array((bottom - top) * columns);
  for (let row = top; row < bottom; row += 1) {
    values.set(upper.subarray(row * size + from, row * size + to), (row - top) * columns);
  }
  return { rows: bottom - top, columns, values };
}

/**
 * Goes through the columns of a weight block by block; later columns compensate for the error of each (GPTQ, SparseGPT).
 *
 * Inside a block a kernel spreads the errors. A block is updated with all blocks before it by one product, just before its
 * turn: W[block] -= U[0:first, block]ᵀ·E[0:first]. With an asymmetry, fixed weights contribute too: W[block] +=
 * P[0:first, block]ᵀ·W[0:first]. Inside a block it is the weights before they were fixed that contribute, as in GPTAQ's
 * algorithm, so there the size of blocks changes the result.
 *
 * @param visit fixes every column of the block
 * @returns Eᵀ, [columns, rows]; the sum of its squares is tr(ΔW·H·ΔWᵀ) with H damped
 * @throws {InternalError} when a visit leaves columns unfixed
 */
export async function walkColumns(
  blas: Blas,
  { weights, upper, asymmetry, blockSize, columnGrids = false }: ColumnWalk,
  visit: (block: ColumnBlock) => void | Promise<void>,
): Promise<Float32Array> {
  const { rows: size, columns: rows } = weights;
  const errors = new Float32Array(size * rows);
  /** How many leading columns' errors each column already carries. */
  const carried = new Int32Array(size);

  async function catchUp(from: number, to: number, fixed: number): Promise<void> {
    let start = from;
    while (start < to) {
      const base = at(carried, start);
      let end = start + 1;
      while (end < to && carried[end] === base) end += 1;
      if (base < fixed) {
        const part = weights.values.subarray(start * rows, end * rows);
        const carry = async (matrix: Float32Array, moved: Float32Array, alpha: number): Promise<void> => {
          await blas.gemm(
            upperPanel(matrix, size, base, fixed, start, end),
            { rows: fixed - base, columns: rows, values: moved.subarray(base * rows, fixed * rows) },
            { transposeA: true, alpha, add: { rows: end - start, columns: rows, values: part }, into: part },
          );
        };
        await carry(upper, errors, -1);
        if (asymmetry) await carry(asymmetry, weights.values, 1);
        carried.fill(fixed, start, end);
      }
      start = end;
    }
  }

  let kernel: ColumnKernel | undefined;
  for (let first = 0; first < size; first += blockSize) {
    const columns = Math.min(blockSize, size - first);
    await catchUp(first, first + columns, first);
    if (kernel?.weights.length !== columns * rows)
      kernel = createSimdKernel(columns, rows, { asymmetric: asymmetry !== undefined, columnGrids });
    const current = kernel;
    const own = weights.values.subarray(first * rows, (first + columns) * rows);
    current.weights.set(own);
    current.upper.set(upperPanel(upper, size, first, first + columns, first, first + columns).values);
    if (asymmetry) current.asymmetry?.set(upperPanel(asymmetry, size, first, first + columns, first, first + columns).values);
    let fixed = 0;
    await visit({
      first,
      columns,
      rows,
      weights: current.weights,
      diagonal: Float32Array.from({ length: columns }, (_, column) => at(upper, (first + column) * (size + 1))),
      async atBlockStart(from, to) {
        await catchUp(from, to, first);
        return weights.values.subarray(from * rows, to * rows);
      },
      fix(from, to, choice) {
        if (from !== fixed || to > columns) {
          throw new InternalError(`columns ${from} to ${to} of a block were fixed after ${fixed} of ${columns}`);
        }
        fixed = to;
        return current.fix(from, to, choice);
      },
    });
    if (fixed !== columns) throw new InternalError(`a block was left with ${fixed} of ${columns} columns fixed`);
    own.set(current.weights);
    errors.set(current.errors, first * rows);
  }
  return errors;
}
