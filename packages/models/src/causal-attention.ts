import { floatTensor, integerTensor } from "@mbs/onnx";
import type { GraphBuilder } from "@mbs/onnx";

/**
 * Queries of one chunk. A chunk meets only the keys up to its own end, so that of T² scores little more than half are
 * computed, and only those of one chunk are in memory. Measured at T = 2048 with 16 heads of 64.
 */
const chunkLength = 256;

/** Lower than any score, and finite, so that no row of a softmax can become NaN. */
const masked = -1e30;

/**
 * Scores this far below their row's largest count as no less: e^-70 is lost in float32 beside 1, and anything much smaller
 * is a denormal number, which makes the softmax and the product after it three times slower.
 */
const scoreFloor = -70;

export interface CausalAttentionShape {
  readonly batch: number;
  readonly length: number;
  readonly heads: number;
  readonly headSize: number;
  /** Bias on the score of a key at position j: slope · j, one slope a head. */
  readonly slopes: Float32Array;
}

/** Where key j may not be seen by query first + i: masked, else 0. [length, first + length] */
function causalMask(first: number, length: number): Float32Array {
  const columns = first + length;
  const mask = new Float32Array(length * columns);
  for (let query = 0; query < length; query++) mask.fill(masked, query * columns + first + query + 1, (query + 1) * columns);
  return mask;
}

/**
 * Adds causal softmax attention with a linear bias to a graph.
 *
 * @param query,key,value names of values [batch, heads, length, headSize]
 * @returns name of the context, [batch · length, heads · headSize]
 */
export function causalAttention(
  graph: GraphBuilder,
  query: string,
  key: string,
  value: string,
  shape: CausalAttentionShape,
): string {
  const { batch, length, heads, headSize, slopes } = shape;
  const integers = (...values: number[]): string => graph.constant(integerTensor(values));
  const slice = (name: string, axis: number, from: number, to: number): string =>
    from === 0 && to === length ? name : graph.node("Slice", [name, integers(from), integers(to), integers(axis)]);
  const scale = graph.constant(floatTensor(Float32Array.of(1 / Math.sqrt(headSize)), []));
  const scaled = graph.node("Mul", [query, scale]);
  const keyColumns = graph.node("Transpose", [key], { attributes: { perm: [0, 1, 3, 2] } });
  const contexts: string[] = [];
  for (let first = 0; first < length; first += chunkLength) {
    const end = Math.min(length, first + chunkLength);
    const scores = graph.node("MatMul", [slice(scaled, 2, first, end), slice(keyColumns, 3, 0, end)]);
    // Counted from the chunk's end: softmax is blind to the difference, and float32 is finest near 0.
    const bias = Float32Array.from(
      { length: heads * end },
      (_, index) => (slopes[Math.floor(index / end)] ?? 0) * ((index % end) - end + 1),
    );
    const biased = graph.node("Add", [scores, graph.constant(floatTensor(bias, [heads, 1, end]))]);
    const seen = graph.node("Add", [biased, graph.constant(floatTensor(causalMask(first, end - first), [end - first, end]))]);
    const largest = graph.node("ReduceMax", [seen, integers(3)], { attributes: { keepdims: 1 } });
    const floor = graph.node("Add", [largest, graph.constant(floatTensor(Float32Array.of(scoreFloor), []))]);
    const floored = graph.node("Max", [seen, floor]);
    const shares = graph.node("Softmax", [floored], { attributes: { axis: -1 } });
    contexts.push(graph.node("MatMul", [shares, slice(value, 2, 0, end)]));
  }
  const joined = contexts.length === 1 ? (contexts[0] ?? "") : graph.node("Concat", contexts, { attributes: { axis: 2 } });
  const byToken = graph.node("Transpose", [joined], { attributes: { perm: [0, 2, 1, 3] } });
  return graph.node("Reshape", [byToken, integers(batch * length, heads * headSize)]);
}
