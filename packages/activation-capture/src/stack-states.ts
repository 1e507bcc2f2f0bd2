import type { Matrix } from "@mbs/contracts";

/** The states of equally long segments under each other, [segments · rows, width]. One segment is not copied. */
export function stackStates(states: readonly Matrix[]): Matrix {
  const [first] = states;
  if (states.length === 1) return first;
  const { rows, columns, values } = first;
  const stacked = new Float32Array(states.length * values.length);
  for (const [place, { values: own }] of states.entries()) stacked.set(own, place * values.length);
  return { rows: states.length * rows, columns, values: stacked };
}

/** Undoes stackStates: the states of segment `place` of `count`; they share memory. */
export function unstackStates({ rows, columns, values }: Matrix, place: number, count: number): Matrix {
  const size = values.length / count;
  return { rows: rows / count, columns, values: values.subarray(place * size, (place + 1) * size) };
}
