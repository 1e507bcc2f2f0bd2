import { at } from "@mbs/contracts";

/** Repeatable numbers of about the size of states. */
export function noise(length: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Repeatable numbers distributed like weights, most of them near zero: how long a search over grids takes depends on that. */
export function bell(length: number): Float32Array {
  const values = new Float32Array(length);
  for (const seed of [1, 2, 3, 4]) noise(length, seed).forEach((value, index) => (values[index] = at(values, index) + value));
  return values;
}
