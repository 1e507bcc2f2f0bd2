import type { Blas } from "@mbs/contracts";

/** A repeatable source of numbers around 0, roughly normal. */
export function randomValues(length: number, seed: number): Float32Array {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  return Float32Array.from({ length }, () => next() + next() + next() + next());
}

/** E[x xᵀ] of correlated inputs, damped by 1%, [size, size]. */
export async function randomHessian(blas: Blas, size: number): Promise<Float32Array> {
  const rows = 2 * size;
  const values = randomValues(rows * size, size);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 1; column < size; column += 1) values[row * size + column] += 0.5 * values[row * size + column - 1];
  }
  const states = { rows, columns: size, values };
  const { values: hessian } = await blas.gemm(states, states, { transposeA: true, alpha: 1 / rows });
  let trace = 0;
  for (let column = 0; column < size; column += 1) trace += hessian[column * (size + 1)];
  for (let column = 0; column < size; column += 1) hessian[column * (size + 1)] += (0.01 * trace) / size;
  return hessian;
}
