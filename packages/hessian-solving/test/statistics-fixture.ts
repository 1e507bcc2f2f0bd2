import type { Statistic } from "@mbs/artifacts";
import { at } from "@mbs/contracts";

/** A repeatable source of numbers from -0.5 to 0.5. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
}

/** Inputs of one language, [tokens, width]; channels listed in `dead` are zero. */
export function randomStates(tokens: number, width: number, seed: number, dead: readonly number[] = []): Float64Array {
  const next = randomNumbers(seed);
  for (let warmUp = 0; warmUp < 8; warmUp += 1) next();
  return Float64Array.from({ length: tokens * width }, (_, index) => (dead.includes(index % width) ? 0 : next()));
}

/** E[x xᵀ], packed upper half, by its definition. */
export function gramOf(states: Float64Array, width: number): Float32Array {
  const tokens = states.length / width;
  const packed: number[] = [];
  for (let row = 0; row < width; row += 1) {
    for (let column = row; column < width; column += 1) {
      let sum = 0;
      for (let token = 0; token < tokens; token += 1) sum += at(states, token * width + row) * at(states, token * width + column);
      packed.push(sum / tokens);
    }
  }
  return Float32Array.from(packed);
}

/** The statistic of one language at a site. */
export function gramStatistic(site: string, language: string, states: Float64Array, width: number): Statistic {
  return { block: "h.0", site, language, kind: "gram", tokens: states.length / width, width, values: gramOf(states, width) };
}

/** E[x²]. */
export function diagonalStatistic(site: string, language: string, states: Float64Array, width: number): Statistic {
  const values = new Float32Array(width);
  const tokens = states.length / width;
  for (const [index, value] of states.entries()) values[index % width] = at(values, index % width) + value ** 2 / tokens;
  return { block: "h.0", site, language, kind: "diagonal", tokens, width, values };
}

/** A list as the stream it would be. */
export async function* streamOf<T>(items: readonly T[]): AsyncGenerator<T> {
  await Promise.resolve();
  yield* items;
}

/** What a promise fails with. */
export async function failureOf(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

/** Largest difference of two lists. */
export const worst = (values: ArrayLike<number>, wanted: ArrayLike<number>): number =>
  Array.from(values).reduce((most, value, index) => Math.max(most, Math.abs(value - at(wanted, index))), 0);
