import { InternalError } from "@mbs/contracts";
import { floatTensor, integerTensor } from "@mbs/onnx";
import type { GraphBuilder } from "@mbs/onnx";
import { rotaryTables } from "./rotary.ts";
import type { Rotary } from "./rotary.ts";
import { scaledScores } from "./device-operators.ts";
import { softcapped } from "./scaling.ts";
import { createRowGraph, tokenInputName } from "./sequence-graph.ts";
import type { Attention, SequenceGraph, WeightInput } from "./sequence-graph.ts";
import { flooredSoftmax } from "./softmax-attention.ts";

/** What the graph of a block over a token tree depends on: not the number of its tokens. */
export interface TreeShape {
  /** Positions that rotary tables have. */
  readonly positions: number;
  /** Whether its texts are of those that rotary embeddings with two sets of frequencies take for long. */
  readonly long: boolean;
  /** In how many chunks of queries attention is computed; 0: all at once, on the keys and values of earlier tokens too. */
  readonly chunks: number;
}

/** Names of what a block keeps of earlier tokens, [1, heads, P, size] each, and of that with the new ones behind it. */
export const pastOf = (name: string): string => `past ${name}`;
export const presentOf = (name: string): string => `present ${name}`;

/**
 * Inputs of a block over a tree, beside its states [T, hidden] and its chunks, int64 [3 · chunks]: positions, int64 [1, T], of
 * keys [1, S], and masks, float32 [T, S]. S is T but for a block that is given earlier keys and values.
 */
export interface TreeInputs {
  chunks: boolean;
  positions: boolean;
  /** Whether the positions of all keys are read, where these are more than the tokens. */
  keyPositions: boolean;
  /** What a block is given of earlier tokens, by name: keys, values, what a convolution reads; how many heads, and their size. */
  readonly past: Map<string, { readonly heads: number; readonly size: number }>;
  /** How many tokens before each one convolutions read: `ancestorInput` for each distance up to this. */
  ancestors: number;
  /** Windows of the masks, each of the name `maskInput`; Infinity without a window. */
  readonly windows: Set<number>;
}

/** Of each chunk its first query, the query after its last one, which is that after its last key, and its first key. */
export const chunksInput = "chunks";
export const positionsInput = "positions";
export const keyPositionsInput = "key positions";
export const maskInput = (window: number): string => `mask ${window}`;
/** Of each token the place of the one so far before it in its text, int64 [T]: 0 where there is none, else its row of [S] and 1. */
export const ancestorInput = (distance: number): string => `ancestor ${distance}`;

function refuseStream(stream: string): never {
  throw new InternalError(`a block over a token tree cannot read the stream ${stream}`, { stream });
}

function refuseRecurrent(): never {
  throw new InternalError("a block over a token tree cannot read its tokens one after the other");
}

/** The inputs of a block over a tree and what is made of them: each once, when it is first read. */
class TreeGraphInputs {
  readonly graph: GraphBuilder;
  readonly #shape: TreeShape;
  readonly #inputs: TreeInputs;
  readonly #named = new Map<string, string>();
  readonly #chunks: { first: string; end: string; start: string }[] = [];
  readonly #tables = new Map<Rotary, { cosines: string; sines: string }>();

  /** @param inputs takes what the graph reads */
  constructor(graph: GraphBuilder, shape: TreeShape, inputs: TreeInputs) {
    this.graph = graph;
    this.#shape = shape;
    this.#inputs = inputs;
  }

  /** Whether keys and values of earlier tokens are given. */
  get goesOn(): boolean {
    return this.#shape.chunks === 0;
  }

  integers(...values: number[]): string {
    return this.graph.constant(integerTensor(values));
  }

  positions(): string {
    return this.#once(positionsInput, () => {
      this.#inputs.positions = true;
      return this.graph.input(positionsInput, "int64", [1, "T"]);
    });
  }

  mask(window: number): string {
    return this.#once(maskInput(window), () => {
      this.#inputs.windows.add(window);
      return this.graph.input(maskInput(window), "float32", ["T", this.goesOn ? "S" : "T"]);
    });
  }

  /** Of each token the place of an earlier one of its text. */
  ancestor(distance: number): string {
    const name = ancestorInput(distance);
    return this.#once(name, () => {
      this.#inputs.ancestors = Math.max(this.#inputs.ancestors, distance);
      return this.graph.input(name, "int64", ["T"]);
    });
  }

  chunks(): readonly { first: string; end: string; start: string }[] {
    if (this.#chunks.length > 0) return this.#chunks;
    this.#inputs.chunks = true;
    const { chunks } = this.#shape;
    const bounds = this.graph.input(chunksInput, "int64", [chunks * 3]);
    const bound = (at: number): string =>
      this.graph.node("Slice", [bounds, this.integers(at), this.integers(at + 1), this.integers(0)]);
    for (let chunk = 0; chunk < chunks; chunk++) {
      this.#chunks.push({ first: bound(3 * chunk), end: bound(3 * chunk + 1), start: bound(3 * chunk + 2) });
    }
    return this.#chunks;
  }

  /** Position of the key less that of the query, [T, S]: counted from the query, where float32 is finest for the nearest keys. */
  distances(): string {
    return this.#once("distances", () => {
      const [ofKeys, ofQueries] = [this.#keyPositions(), this.positions()].map((positions) =>
        this.graph.node("Cast", [positions], { attributes: { to: 1 } }),
      );
      return this.graph.node("Sub", [ofKeys ?? "", this.graph.node("Reshape", [ofQueries ?? "", this.integers(-1, 1)])]);
    });
  }

  /** What came before joined with what comes now, [1, heads, S, size]. */
  withPast(name: string, value: string, heads: number, size: number): string {
    if (!this.goesOn) return value;
    this.#inputs.past.set(name, { heads, size });
    const past = this.graph.input(pastOf(name), "float32", [1, heads, "P", size]);
    const all = this.graph.node("Concat", [past, value], { attributes: { axis: 2 } });
    this.graph.output(presentOf(name), all, "float32", [1, heads, "S", size]);
    return all;
  }

  rotaryTables(rotary: Rotary): { cosines: string; sines: string } {
    const known = this.#tables.get(rotary);
    if (known !== undefined) return known;
    const { positions, long } = this.#shape;
    const { cosines, sines } = rotaryTables(rotary, positions, long);
    const constant = (values: Float32Array): string =>
      this.graph.constant(floatTensor(values, [positions, rotary.frequencies.length]));
    const tables = { cosines: constant(cosines), sines: constant(sines) };
    this.#tables.set(rotary, tables);
    return tables;
  }

  #keyPositions(): string {
    if (!this.goesOn) return this.positions();
    return this.#once(keyPositionsInput, () => {
      this.#inputs.keyPositions = true;
      return this.graph.input(keyPositionsInput, "int64", [1, "S"]);
    });
  }

  #once(name: string, make: () => string): string {
    const value = this.#named.get(name) ?? make();
    this.#named.set(name, value);
    return value;
  }
}

/** Some queries with the keys that they may see. */
interface SeenKeys {
  readonly queries: string;
  readonly keys: string;
  readonly values: string;
  /** Of what belongs to pairs of queries and keys, [T, S], the part of these. */
  readonly ofPairs: (name: string) => string;
}

/** What attention reads of the values, [1, heads, queries, headSize]. */
function attendedValues(tree: TreeGraphInputs, { queries, keys, values, ofPairs }: SeenKeys, attention: Attention): string {
  const { graph } = tree;
  const { heads, kvHeads, headSize, slopes, window = Infinity, softcap, sinks } = attention;
  /** Heads that share a key are rows of one product: [1, heads, n, …] ↔ [1, kvHeads, heads / kvHeads · n, …]. */
  const group = (name: string, columns: number): string =>
    heads === kvHeads ? name : graph.node("Reshape", [name, tree.integers(1, kvHeads, -1, columns)]);
  const ungroup = (name: string, columns: number): string =>
    heads === kvHeads ? name : graph.node("Reshape", [name, tree.integers(1, heads, -1, columns)]);
  /** Of Reshape: as the input has it. */
  const same = 0;
  const products = scaledScores(graph, group(queries, headSize), keys, attention.scale);
  let scores = softcapped(graph, ungroup(products, same), softcap);
  if (slopes !== undefined) {
    const bias = graph.node("Mul", [ofPairs(tree.distances()), graph.constant(floatTensor(slopes, [heads, 1, 1]))]);
    scores = graph.node("Add", [scores, bias]);
  }
  const shares = flooredSoftmax(graph, graph.node("Add", [scores, ofPairs(tree.mask(window))]), sinks);
  return ungroup(graph.node("MatMul", [group(shares, same), values]), headSize);
}

function attend(tree: TreeGraphInputs, query: string, key: string, value: string, attention: Attention): string {
  const { kvHeads, headSize, distances, bidirectional, stream } = attention;
  if (distances !== undefined || bidirectional === true || stream !== undefined) {
    throw new InternalError("a block over a token tree has causal attention without learned biases");
  }
  if (tree.goesOn) {
    const keys = tree.withPast("key", key, kvHeads, headSize);
    const values = tree.withPast("value", value, kvHeads, headSize);
    return attendedValues(tree, { queries: query, keys, values, ofPairs: (name) => name }, attention);
  }
  const contexts = tree.chunks().map(({ first, end, start }) => {
    const slice = (name: string, axis: number, from: string): string =>
      tree.graph.node("Slice", [name, from, end, tree.integers(axis)]);
    const seen: SeenKeys = {
      queries: slice(query, 2, first),
      keys: slice(key, 2, start),
      values: slice(value, 2, start),
      ofPairs: (name) => slice(slice(name, 0, first), 1, start),
    };
    return attendedValues(tree, seen, attention);
  });
  return tree.graph.node("Concat", contexts, { attributes: { axis: 2 } });
}

/** Of each token and those before it in its text what a convolution reads, [T, channels] each, the earliest first. */
function recentTokens(tree: TreeGraphInputs, value: string, channels: number, count: number): string[] {
  const { graph } = tree;
  const own = graph.node("Reshape", [value, tree.integers(1, 1, -1, channels)]);
  const all = graph.node("Reshape", [tree.withPast("convolved", own, 1, channels), tree.integers(-1, channels)]);
  const none = graph.constant(floatTensor(new Float32Array(channels), [1, channels]));
  const rows = graph.node("Concat", [none, all], { attributes: { axis: 0 } });
  const before = (distance: number): string => graph.node("Gather", [rows, tree.ancestor(distance)], { attributes: { axis: 0 } });
  return [...Array.from({ length: count - 1 }, (_, at) => before(count - 1 - at)), value];
}

/**
 * The graph of a block over a token tree: the number of tokens is free, and which of them a query sees is an input. Attention is
 * computed by chunks of queries, each with the keys from the beginning of its first text to its own end.
 *
 * @param inputs takes what the graph reads
 */
export function createTreeSequence(
  graph: GraphBuilder,
  weight: WeightInput,
  shape: TreeShape,
  inputs: TreeInputs,
): SequenceGraph {
  const tree = new TreeGraphInputs(graph, shape, inputs);
  const joinHeads = (value: string, heads: number, headSize: number): string => {
    const byToken = graph.node("Transpose", [value], { attributes: { perm: [0, 2, 1, 3] } });
    return graph.node("Reshape", [byToken, tree.integers(-1, heads * headSize)]);
  };
  return {
    ...createRowGraph(graph, weight),
    otherStates: refuseStream,
    tokenInput: (width) => graph.input(tokenInputName, "float32", ["T", width]),
    splitHeads(value, heads, headSize, stream) {
      if (stream !== undefined) refuseStream(stream);
      const split = graph.node("Reshape", [value, tree.integers(1, -1, heads, headSize)]);
      return graph.node("Transpose", [split], { attributes: { perm: [0, 2, 1, 3] } });
    },
    joinHeads,
    splitFusedHeads(value, heads, parts, headSize) {
      const split = graph.node("Reshape", [value, tree.integers(1, -1, heads, parts, headSize)]);
      const byPart = graph.node("Transpose", [split], { attributes: { perm: [3, 0, 2, 1, 4] } });
      return graph
        .nodes("Split", [byPart], parts, { attributes: { axis: 0, num_outputs: parts } })
        .map((part) => graph.node("Reshape", [part, tree.integers(1, heads, -1, headSize)]));
    },
    rotate(value, rotary, heads) {
      const { cosines, sines } = tree.rotaryTables(rotary);
      const attributes = { num_heads: heads, rotary_embedding_dim: 2 * rotary.frequencies.length };
      return graph.node("RotaryEmbedding", [value, tree.positions(), cosines, sines], { domain: "com.microsoft", attributes });
    },
    attend: (query, key, value, attention) =>
      joinHeads(attend(tree, query, key, value, attention), attention.heads, attention.headSize),
    recent: (value, channels, count) => recentTokens(tree, value, channels, count),
    deltaRule: refuseRecurrent,
  };
}
