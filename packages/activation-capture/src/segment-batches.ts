import type { Matrix } from "@mbs/contracts";
import { statesOf } from "@mbs/models";
import type { StreamStates } from "@mbs/models";

/** Tokens that run together where segments are short, so that matrix products are large. */
const tokensAtATime = 2048;

/** A segment by its language and the number of its tokens in each stream. */
interface Sized {
  readonly language: string;
  readonly lengths: readonly number[];
}

const isAlike = (a: Sized, b: Sized): boolean => a.language === b.language && a.lengths.join() === b.lengths.join();

/**
 * Joins neighbours of one language and equal length into batches of at most 2048 tokens of the longest stream, or one
 * segment if it is longer. The rule looks at languages and lengths alone, so the same segments are batched alike on every
 * machine and in every stage.
 */
export function* batchSegments<T extends Sized>(segments: Iterable<T>): Generator<readonly T[]> {
  let batch: T[] = [];
  for (const segment of segments) {
    const first = batch[0] ?? segment;
    const rows = Math.max(...first.lengths);
    if (!isAlike(segment, first) || (batch.length + 1) * rows > Math.max(tokensAtATime, rows)) {
      yield batch;
      batch = [];
    }
    batch.push(segment);
  }
  if (batch.length > 0) yield batch;
}

/** The same for segments that arrive one by one. */
export async function* batchArriving<T extends Sized>(segments: AsyncIterable<T>): AsyncGenerator<readonly T[]> {
  let waiting: T[] = [];
  for await (const segment of segments) {
    const batches = [...batchSegments([...waiting, segment])];
    waiting = [...(batches.pop() ?? [])];
    yield* batches;
  }
  if (waiting.length > 0) yield waiting;
}

/** The states of equally long segments under each other; those of one segment are not copied. */
export function stackStreams(segments: readonly StreamStates[]): StreamStates {
  const [first] = segments;
  if (first === undefined || segments.length === 1) return first ?? new Map<string, Matrix>();
  const stacked = [...first].map(([stream, { rows, columns, values }]) => {
    const all = new Float32Array(segments.length * values.length);
    for (const [index, states] of segments.entries()) all.set(statesOf(states, stream).values, index * values.length);
    return [stream, { rows: segments.length * rows, columns, values: all }] as const;
  });
  return new Map(stacked);
}

/** Undoes stackStreams; the states share memory. */
export function unstackStreams(stacked: StreamStates, count: number): StreamStates[] {
  return Array.from({ length: count }, (_, index) => {
    const own = [...stacked].map(([stream, { rows, columns, values }]) => {
      const size = values.length / count;
      return [stream, { rows: rows / count, columns, values: values.subarray(index * size, (index + 1) * size) }] as const;
    });
    return new Map(own);
  });
}
