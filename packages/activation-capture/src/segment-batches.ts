import type { Matrix } from "@mbs/contracts";
import { statesOf } from "@mbs/models";
import type { StreamStates } from "@mbs/models";
import type { SegmentHead } from "./state-source.ts";

/** Tokens that run together where segments are short, so that matrix products are large. */
const tokensAtATime = 2048;

/** Equally long segments of one language, which run together. */
export interface SegmentBatch<Segment extends SegmentHead = SegmentHead> {
  /** Place of the first one among all segments; the others follow. */
  readonly first: number;
  readonly language: string;
  readonly segments: readonly Segment[];
}

const isAlike = (a: SegmentHead, b: SegmentHead): boolean => a.language === b.language && a.lengths.join() === b.lengths.join();

/**
 * Joins neighbours of one language and equal length into batches of at most 2048 tokens of the longest stream, or one
 * segment if it is longer. The rule looks at languages and lengths alone, so the same segments are batched alike on every
 * machine and in every stage.
 */
export function* batchSegments<Segment extends SegmentHead>(
  segments: Iterable<Segment>,
  place = 0,
): Generator<SegmentBatch<Segment>> {
  let batch: Segment[] = [];
  let first = place;
  for (const segment of segments) {
    const [head = segment] = batch;
    const rows = Math.max(...head.lengths);
    if (!isAlike(segment, head) || (batch.length + 1) * rows > Math.max(tokensAtATime, rows)) {
      yield { first, language: head.language, segments: batch };
      first += batch.length;
      batch = [];
    }
    batch.push(segment);
  }
  const [last] = batch;
  if (last !== undefined) yield { first, language: last.language, segments: batch };
}

/** The same for segments that arrive one by one. */
export async function* batchArriving<Segment extends SegmentHead>(
  segments: AsyncIterable<Segment>,
): AsyncGenerator<SegmentBatch<Segment>> {
  let waiting: SegmentBatch<Segment> | undefined;
  for await (const segment of segments) {
    const batches = [...batchSegments([...(waiting?.segments ?? []), segment], waiting?.first)];
    waiting = batches.pop();
    yield* batches;
  }
  if (waiting !== undefined) yield waiting;
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
