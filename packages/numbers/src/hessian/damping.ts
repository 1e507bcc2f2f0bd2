import { at } from "@mbs/contracts";

/** H's diagonal as it goes into a factorisation. */
export interface LivingDiagonal {
  /** Columns whose input was zero in every token, ascending. */
  readonly dead: readonly number[];
  /** Mean over the living columns; 1 where all are dead. */
  readonly mean: number;
}

/**
 * Finds the dead columns. They are left out of the mean that scales the damping, and their own diagonal becomes that mean:
 * H stays regular and nothing else of it changes, since their rows and columns are zero.
 *
 * @param diagonal E[x²], length width
 */
export function findDead(diagonal: Float32Array): LivingDiagonal {
  const dead: number[] = [];
  let sum = 0;
  for (const [column, value] of diagonal.entries()) {
    if (value === 0) dead.push(column);
    else sum += value;
  }
  const living = diagonal.length - dead.length;
  return { dead, mean: living === 0 ? 1 : sum / living };
}

/**
 * Adds damping·mean to the diagonal, and the mean to that of dead columns. In place.
 *
 * @param hessian H, [size, size], row-major, natural order
 * @param damping fraction of the living mean, ≥ 0
 */
export function damp(hessian: Float32Array | Float64Array, size: number, { dead, mean }: LivingDiagonal, damping: number): void {
  for (const column of dead) hessian[column * (size + 1)] = mean;
  for (let column = 0; column < size; column += 1) {
    const index = column * (size + 1);
    hessian[index] = at(hessian, index) + damping * mean;
  }
}
