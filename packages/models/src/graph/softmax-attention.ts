import { floatTensor, integerTensor } from "@mbs/onnx";
import type { GraphBuilder } from "@mbs/onnx";
import { scaledScores } from "./device-operators.ts";
import { softcapped } from "./scaling.ts";
import type { Attention, DistanceBias } from "./sequence-graph.ts";

/**
 * Queries of one chunk. Where attention is causal, a chunk uses only the keys up to its own end, so that of T² scores
 * little more than half are computed; and only those of one chunk are in memory. Heads that share a key are rows of one
 * product, which runs well from about 192 rows on. Measured at T = 512 to 2048 with 1, 3 and 4 heads a key, sizes 64 and 256.
 *
 * @param group heads that share a key
 */
const chunkLengthOf = (group: number): number => Math.min(128, Math.max(64, Math.round(192 / group)));

/** Lower than any score, and finite, so that no row of a softmax can become NaN. */
export const maskedScore = -1e30;

/**
 * Scores further than this below the largest of their row are raised to it: next to 1, float32 loses e^-70, and much
 * smaller numbers are denormal, which makes the softmax and the product after it three times slower.
 */
export const scoreFloor = -70;

export interface SoftmaxAttentionShape extends Attention {
  readonly batch: number;
  /** Of the queries. */
  readonly length: number;
  /** Of the keys, which may belong to another stream. */
  readonly keyLength: number;
}

/**
 * Scores [batch, heads, queries, keys] with that of a sink behind each row.
 *
 * @param sinks as in Attention; the same scores where there are none
 */
export function withSinks(graph: GraphBuilder, scores: string, sinks: string | undefined): string {
  if (sinks === undefined) return scores;
  const integers = (...values: number[]): string => graph.constant(integerTensor(values));
  // only for its shape, [batch, heads, queries, 1]: scores are finite
  const column = graph.node("Slice", [scores, integers(0), integers(1), integers(3)]);
  const zeros = graph.node("Mul", [column, graph.constant(floatTensor(Float32Array.of(0), []))]);
  const own = graph.node("Add", [zeros, graph.node("Reshape", [sinks, integers(-1, 1, 1)])]);
  return graph.node("Concat", [scores, own], { attributes: { axis: 3 } });
}

/** The shares of the keys alone, [batch, heads, queries, keys]: of a row with a sink they add up to less than 1. */
export function withoutSinks(graph: GraphBuilder, shares: string, sinks: string | undefined): string {
  if (sinks === undefined) return shares;
  const integers = (value: number): string => graph.constant(integerTensor([value]));
  return graph.node("Slice", [shares, integers(0), integers(-1), integers(3)]);
}

/** Softmax over the last axis of scores [batch, heads, queries, keys], in which those far below the largest are raised. */
export function flooredSoftmax(graph: GraphBuilder, scores: string, sinks?: string): string {
  const all = withSinks(graph, scores, sinks);
  const largest = graph.node("ReduceMax", [all, graph.constant(integerTensor([3]))], { attributes: { keepdims: 1 } });
  const floor = graph.node("Add", [largest, graph.constant(floatTensor(Float32Array.of(scoreFloor), []))]);
  const shares = graph.node("Softmax", [graph.node("Max", [all, floor])], { attributes: { axis: -1 } });
  return withoutSinks(graph, shares, sinks);
}

/** Where the key at start + j may not be seen by the query at first + i: masked, else 0. [length, first + length - start] */
function causalMask(first: number, length: number, start: number, window: number): Float32Array {
  const columns = first + length - start;
  const mask = new Float32Array(length * columns);
  for (let query = 0; query < length; query++) {
    const row = query * columns;
    mask.fill(maskedScore, row + first - start + query + 1, row + columns);
    mask.fill(maskedScore, row, row + Math.max(0, first + query + 1 - window - start));
  }
  return mask;
}

/** Bias of the keys from `start` on for the queries from `first` on, [heads, rows, columns]. */
function distanceBias(
  graph: GraphBuilder,
  { table, bucket }: DistanceBias,
  { first, rows, start, columns }: { first: number; rows: number; start: number; columns: number },
): string {
  const buckets = Array.from({ length: rows * columns }, (_, at) =>
    bucket(start + (at % columns) - first - Math.floor(at / columns)),
  );
  const byHead = graph.node("Transpose", [table], { attributes: { perm: [1, 0] } });
  return graph.node("Gather", [byHead, graph.constant(integerTensor(buckets, [rows, columns]))], { attributes: { axis: 1 } });
}

/**
 * Adds softmax attention to a graph, chunk by chunk: causal, unless it is bidirectional or of another stream's keys.
 *
 * @param query [batch, heads, length, headSize]
 * @param key,value [batch, kvHeads, keyLength, headSize]
 * @returns name of the context, [batch · length, heads · headSize]
 */
export function softmaxAttention(
  graph: GraphBuilder,
  query: string,
  key: string,
  value: string,
  shape: SoftmaxAttentionShape,
): string {
  const { batch, length, keyLength, heads, kvHeads, headSize, slopes, window = length, softcap, distances, sinks } = shape;
  const causal = shape.bidirectional !== true && shape.stream === undefined;
  const integers = (...values: number[]): string => graph.constant(integerTensor(values));
  const slice = (name: string, whole: number, axis: number, from: number, to: number): string =>
    from === 0 && to === whole ? name : graph.node("Slice", [name, integers(from), integers(to), integers(axis)]);
  /** Heads that share a key are rows of one product: [batch, heads, n, …] ↔ [batch, kvHeads, heads / kvHeads · n, …]. */
  const group = (name: string, rows: number, columns: number): string =>
    heads === kvHeads ? name : graph.node("Reshape", [name, integers(batch, kvHeads, (heads / kvHeads) * rows, columns)]);
  const ungroup = (name: string, rows: number, columns: number): string =>
    heads === kvHeads ? name : graph.node("Reshape", [name, integers(batch, heads, rows, columns)]);
  const chunkLength = chunkLengthOf(heads / kvHeads);
  const contexts: string[] = [];
  for (let first = 0; first < length; first += chunkLength) {
    const end = Math.min(length, first + chunkLength);
    const rows = end - first;
    const start = causal ? Math.max(0, first + 1 - window) : 0;
    const until = causal ? end : keyLength;
    const columns = until - start;
    const queries = group(slice(query, length, 2, first, end), rows, headSize);
    const products = scaledScores(graph, queries, slice(key, keyLength, 2, start, until), shape.scale);
    let scores = softcapped(graph, ungroup(products, rows, columns), softcap);
    if (slopes !== undefined) {
      // Counted from the chunk's end: softmax does not depend on the offset, and float32 is finest near 0.
      const bias = new Float32Array(heads * columns);
      for (const [head, slope] of slopes.entries()) {
        for (let column = 0; column < columns; column++) bias[head * columns + column] = slope * (column - columns + 1);
      }
      scores = graph.node("Add", [scores, graph.constant(floatTensor(bias, [heads, 1, columns]))]);
    }
    if (distances !== undefined) {
      scores = graph.node("Add", [scores, distanceBias(graph, distances, { first, rows, start, columns })]);
    }
    if (causal) {
      const mask = graph.constant(floatTensor(causalMask(first, rows, start, window), [rows, columns]));
      scores = graph.node("Add", [scores, mask]);
    }
    const shares = flooredSoftmax(graph, scores, sinks);
    const context = graph.node("MatMul", [group(shares, rows, columns), slice(value, keyLength, 2, start, until)]);
    contexts.push(ungroup(context, rows, headSize));
  }
  const [only, ...others] = contexts;
  const joined = only !== undefined && others.length === 0 ? only : graph.node("Concat", contexts, { attributes: { axis: 2 } });
  const byToken = graph.node("Transpose", [joined], { attributes: { perm: [0, 2, 1, 3] } });
  return graph.node("Reshape", [byToken, integers(batch * length, heads * headSize)]);
}
