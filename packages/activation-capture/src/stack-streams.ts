import type { Matrix } from "@mbs/contracts";
import { statesOf } from "@mbs/models";
import type { StreamStates } from "@mbs/models";

/** The states of equally long segments under each other; those of one segment are not copied. */
export function stackStreams(segments: readonly StreamStates[]): StreamStates {
  const [first] = segments;
  if (first === undefined || segments.length === 1) return first ?? new Map<string, Matrix>();
  const stacked = [...first].map(([stream, { rows, columns, values }]) => {
    const all = new Float32Array(segments.length * values.length);
    for (const [place, states] of segments.entries()) all.set(statesOf(states, stream).values, place * values.length);
    return [stream, { rows: segments.length * rows, columns, values: all }] as const;
  });
  return new Map(stacked);
}

/** Undoes stackStreams; the states share memory. */
export function unstackStreams(stacked: StreamStates, count: number): StreamStates[] {
  return Array.from({ length: count }, (_, place) => {
    const own = [...stacked].map(([stream, { rows, columns, values }]) => {
      const size = values.length / count;
      return [stream, { rows: rows / count, columns, values: values.subarray(place * size, (place + 1) * size) }] as const;
    });
    return new Map(own);
  });
}
