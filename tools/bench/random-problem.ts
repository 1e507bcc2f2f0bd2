import { at } from "@mbs/contracts";
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
    const own = values.subarray(row * size, (row + 1) * size);
    let before = 0;
    for (const [column, value] of own.entries()) {
      before = Math.fround(value + 0.5 * before);
      own[column] = before;
    }
  }
  const states = { rows, columns: size, values };
  const { values: hessian } = await blas.gemm(states, states, { transposeA: true, alpha: 1 / rows });
  let trace = 0;
  for (let column = 0; column < size; column += 1) trace += at(hessian, column * (size + 1));
  for (let index = 0; index < size * size; index += size + 1) hessian[index] = at(hessian, index) + (0.01 * trace) / size;
  return hessian;
}
