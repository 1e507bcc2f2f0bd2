import { at } from "@mbs/contracts";
import { floatTensor, integerTensor } from "@mbs/onnx";
import type { GraphBuilder } from "@mbs/onnx";
import type { DeltaInputs, DeltaRule } from "./sequence-graph.ts";
import { scoreFloor } from "./softmax-attention.ts";

/**
 * Tokens that are computed at once. Products of all pairs in a chunk grow with it, and so does the number of chunks without it,
 * whose states follow one another. Measured at 512 tokens of 16 heads of 128 elements.
 */
const chunkLength = 32;

/** A square of a chunk's rows and columns, 1 where a condition holds and 0 elsewhere. */
const squareWhere = (holds: (row: number, column: number) => boolean): Float32Array =>
  Float32Array.from({ length: chunkLength ** 2 }, (_, index) =>
    holds(Math.floor(index / chunkLength), index % chunkLength) ? 1 : 0,
  );

const lowerTriangle = squareWhere((row, column) => row >= column);
const belowDiagonal = squareWhere((row, column) => row > column);
const identity = squareWhere((row, column) => row === column);

/** Whether two numbers are in the same run of so many. */
const isSame = (run: number, one: number, other: number): boolean => Math.floor(one / run) === Math.floor(other / run);

/** By size 1, 2, 4, …: what stands in the same block of 2 · size rows of the diagonal, and not in the same of size. */
const betweenBlocks: readonly Float32Array[] = Array.from({ length: Math.log2(chunkLength) }, (_, power) =>
  squareWhere((row, column) => isSame(2 ** (power + 1), row, column) && !isSame(2 ** power, row, column)),
);

const square = (graph: GraphBuilder, values: Float32Array): string =>
  graph.constant(floatTensor(values, [chunkLength, chunkLength]));

/**
 * (1 + L)⁻¹ of strictly lower triangles L, [..., chunkLength, chunkLength]: blocks of 1, 2, 4, … rows of the diagonal are inverted,
 * two of them and what is below between them at a time. A sum of powers of L would take as many products, and its terms grow far
 * beyond their sum where keys are alike.
 */
function inverseOfUnitLower(graph: GraphBuilder, lower: string): string {
  const times = (one: string, other: string): string => graph.node("MatMul", [one, other]);
  const [first = "", ...others] = betweenBlocks.map((mask) => graph.node("Mul", [lower, square(graph, mask)]));
  return others.reduce(
    (inverse, between) => graph.node("Sub", [inverse, times(times(inverse, between), inverse)]),
    graph.node("Sub", [square(graph, identity), first]),
  );
}

/**
 * Adds the gated delta rule to a graph: with a state S [keySize, valueSize] of each head, a token makes S = d·S, then
 * S = S + k·(b·(v - kᵀ·S))ᵀ, and reads qᵀ·S. Computed in chunks, of which each reads the state of the one before it.
 *
 * @param inputs of keys and queries that are normed and scaled
 * @returns what is read, [batch, heads, length, valueSize]
 * @see arXiv:2412.06464 §3.3
 */
export function deltaRule(
  graph: GraphBuilder,
  { query, key, value, decay, share }: DeltaInputs,
  { batch, length, heads, keySize, valueSize }: DeltaRule & { readonly batch: number; readonly length: number },
): string {
  const chunks = Math.ceil(length / chunkLength);
  const integers = (...values: number[]): string => graph.constant(integerTensor(values));
  const times = (one: string, other: string): string => graph.node("Mul", [one, other]);
  const product = (one: string, other: string): string => graph.node("MatMul", [one, other]);
  const subtract = (one: string, other: string): string => graph.node("Sub", [one, other]);
  const turned = (name: string): string => graph.node("Transpose", [name], { attributes: { perm: [0, 1, 2, 4, 3] } });
  /** What is left after a decay. Next to 1, float32 loses what is smaller than this, and denormal numbers are slow. */
  const floor = graph.constant(floatTensor(Float32Array.of(scoreFloor), []));
  const left = (logarithm: string): string => graph.node("Exp", [graph.node("Max", [logarithm, floor])]);
  /** [batch, heads, chunks, chunkLength, size]; tokens behind the text are zeros, which change and read nothing. */
  const inChunks = (name: string, size: number): string => {
    const missing = chunks * chunkLength - length;
    const padded = missing === 0 ? name : graph.node("Pad", [name, integers(0, 0, 0, 0, 0, 0, missing, 0)]);
    return graph.node("Reshape", [padded, integers(batch, heads, chunks, chunkLength, size)]);
  };
  const [queries, keys] = [inChunks(query, keySize), inChunks(key, keySize)];
  const shares = inChunks(share, 1);
  // a chunk's decays from its beginning to each token
  const sums = product(square(graph, lowerTriangle), inChunks(decay, 1));
  const last = graph.node("Slice", [sums, integers(chunkLength - 1), integers(chunkLength), integers(3)]);
  const fromStart = left(sums);
  const zero = graph.constant(floatTensor(Float32Array.of(0), []));
  // [..., token, earlier token]; later ones are masked, and must not overflow before
  const pairs = left(graph.node("Min", [subtract(sums, turned(sums)), zero]));
  const turnedKeys = turned(keys);
  const shared = times(keys, shares);
  const ofPairs = (rows: string, mask: Float32Array): string =>
    times(times(product(rows, turnedKeys), pairs), square(graph, mask));
  const solved = inverseOfUnitLower(graph, ofPairs(shared, belowDiagonal));
  const written = product(solved, times(inChunks(value, valueSize), shares));
  const known = product(solved, times(shared, fromStart));
  const attended = ofPairs(queries, lowerTriangle);
  const reading = times(queries, fromStart);
  const writing = turned(times(keys, left(subtract(last, sums))));
  const kept = left(last);

  /** Chunk → its own part, [batch, heads, …]. */
  const apart = (name: string): readonly string[] =>
    graph
      .nodes("Split", [name], chunks, { attributes: { axis: 2, num_outputs: chunks } })
      .map((part) => graph.node("Squeeze", [part, integers(2)]));
  const [ofWritten, ofKnown, ofAttended, ofReading, ofWriting, ofKept] = [
    apart(written),
    apart(known),
    apart(attended),
    apart(reading),
    apart(writing),
    apart(kept),
  ];
  let state: string | undefined;
  const made = ofWritten.map((own, chunk) => {
    const before = state;
    const plus = (one: string, other: (earlier: string) => string): string =>
      before === undefined ? one : graph.node("Add", [one, other(before)]);
    const fresh = before === undefined ? own : subtract(own, product(at(ofKnown, chunk), before));
    const read = plus(product(at(ofAttended, chunk), fresh), (earlier) => product(at(ofReading, chunk), earlier));
    state = plus(product(at(ofWriting, chunk), fresh), (earlier) => times(earlier, at(ofKept, chunk)));
    return read;
  });
  const all = graph.node("Concat", made, { attributes: { axis: 2 } });
  return chunks * chunkLength === length ? all : graph.node("Slice", [all, integers(0), integers(length), integers(2)]);
}
