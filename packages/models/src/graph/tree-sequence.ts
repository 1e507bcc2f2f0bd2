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

/**
 * The graph of a block over a token tree: the number of tokens is free, and which of them a query sees is an input. Attention is
 * computed by chunks of queries, each with the keys from the beginning of its first text to its own end.
 *
 * @param inputs takes what the graph reads
 */
export function createTreeSequence(
  graph: GraphBuilder,
  weight: WeightInput,
  { positions, long, chunks }: TreeShape,
  inputs: TreeInputs,
): SequenceGraph {
  const integers = (...values: number[]): string => graph.constant(integerTensor(values));
  const known = new Map<string, string>();
  const once = (name: string, make: () => string): string => {
    const made = known.get(name) ?? make();
    known.set(name, made);
    return made;
  };
  const positionsOf = (): string =>
    once(positionsInput, () => {
      inputs.positions = true;
      return graph.input(positionsInput, "int64", [1, "T"]);
    });
  const chunkNames: { first: string; end: string; start: string }[] = [];
  const goesOn = chunks === 0;
  const maskOf = (window: number): string =>
    once(maskInput(window), () => {
      inputs.windows.add(window);
      return graph.input(maskInput(window), "float32", ["T", goesOn ? "S" : "T"]);
    });
  const keyPositionsOf = (): string =>
    goesOn
      ? once(keyPositionsInput, () => {
          inputs.keyPositions = true;
          return graph.input(keyPositionsInput, "int64", [1, "S"]);
        })
      : positionsOf();
  const chunksOf = (): readonly { first: string; end: string; start: string }[] => {
    if (chunkNames.length > 0) return chunkNames;
    inputs.chunks = true;
    const bounds = graph.input(chunksInput, "int64", [chunks * 3]);
    const bound = (at: number): string => graph.node("Slice", [bounds, integers(at), integers(at + 1), integers(0)]);
    for (let chunk = 0; chunk < chunks; chunk++) {
      chunkNames.push({ first: bound(3 * chunk), end: bound(3 * chunk + 1), start: bound(3 * chunk + 2) });
    }
    return chunkNames;
  };
  /** Position of the key less that of the query, [T, S]: counted from the query, where float32 is finest for the nearest keys. */
  const distancesOf = (): string =>
    once("distances", () => {
      const [ofKeys, ofQueries] = [keyPositionsOf(), positionsOf()].map((positions) =>
        graph.node("Cast", [positions], { attributes: { to: 1 } }),
      );
      return graph.node("Sub", [ofKeys ?? "", graph.node("Reshape", [ofQueries ?? "", integers(-1, 1)])]);
    });
  /** What came before joined with what comes now, [1, heads, S, size]. */
  const withPast = (name: string, value: string, heads: number, size: number): string => {
    if (!goesOn) return value;
    inputs.past.set(name, { heads, size });
    const past = graph.input(pastOf(name), "float32", [1, heads, "P", size]);
    const all = graph.node("Concat", [past, value], { attributes: { axis: 2 } });
    graph.output(presentOf(name), all, "float32", [1, heads, "S", size]);
    return all;
  };
  const tables = new Map<Rotary, { cosines: string; sines: string }>();
  const tablesOf = (rotary: Rotary): { cosines: string; sines: string } => {
    const found = tables.get(rotary);
    if (found !== undefined) return found;
    const { cosines, sines } = rotaryTables(rotary, positions, long);
    const constant = (values: Float32Array): string =>
      graph.constant(floatTensor(values, [positions, rotary.frequencies.length]));
    const made = { cosines: constant(cosines), sines: constant(sines) };
    tables.set(rotary, made);
    return made;
  };
  const joinHeads = (value: string, heads: number, headSize: number): string => {
    const byToken = graph.node("Transpose", [value], { attributes: { perm: [0, 2, 1, 3] } });
    return graph.node("Reshape", [byToken, integers(-1, heads * headSize)]);
  };
  const attend = (query: string, key: string, value: string, attention: Attention): string => {
    const { heads, kvHeads, headSize, slopes, window = Infinity, softcap, distances, bidirectional, stream, sinks } = attention;
    if (distances !== undefined || bidirectional === true || stream !== undefined) {
      throw new InternalError("a block over a token tree has causal attention without learned biases");
    }
    /** Heads that share a key are rows of one product: [1, heads, n, …] ↔ [1, kvHeads, heads / kvHeads · n, …]. */
    const group = (name: string, columns: number): string =>
      heads === kvHeads ? name : graph.node("Reshape", [name, integers(1, kvHeads, -1, columns)]);
    const ungroup = (name: string, columns: number): string =>
      heads === kvHeads ? name : graph.node("Reshape", [name, integers(1, heads, -1, columns)]);
    /** Of Reshape: as the input has it. */
    const same = 0;
    /** @param ofPairs what belongs to some queries and keys of [T, S] */
    const contextOf = (queries: string, keys: string, values: string, ofPairs: (name: string) => string): string => {
      const products = scaledScores(graph, group(queries, headSize), keys, attention.scale);
      let scores = softcapped(graph, ungroup(products, same), softcap);
      if (slopes !== undefined) {
        const bias = graph.node("Mul", [ofPairs(distancesOf()), graph.constant(floatTensor(slopes, [heads, 1, 1]))]);
        scores = graph.node("Add", [scores, bias]);
      }
      const shares = flooredSoftmax(graph, graph.node("Add", [scores, ofPairs(maskOf(window))]), sinks);
      return ungroup(graph.node("MatMul", [group(shares, same), values]), headSize);
    };
    const inChunks = (): string => {
      const contexts = chunksOf().map(({ first, end, start }) => {
        const slice = (name: string, axis: number, from: string): string =>
          graph.node("Slice", [name, from, end, integers(axis)]);
        const ofPairs = (name: string): string => slice(slice(name, 0, first), 1, start);
        return contextOf(slice(query, 2, first), slice(key, 2, start), slice(value, 2, start), ofPairs);
      });
      return graph.node("Concat", contexts, { attributes: { axis: 2 } });
    };
    const context = goesOn
      ? contextOf(query, withPast("key", key, kvHeads, headSize), withPast("value", value, kvHeads, headSize), (name) => name)
      : inChunks();
    return joinHeads(context, heads, headSize);
  };

  return {
    ...createRowGraph(graph, weight),
    otherStates: refuseStream,
    tokenInput: (width) => graph.input(tokenInputName, "float32", ["T", width]),
    splitHeads(value, heads, headSize, stream) {
      if (stream !== undefined) refuseStream(stream);
      const split = graph.node("Reshape", [value, integers(1, -1, heads, headSize)]);
      return graph.node("Transpose", [split], { attributes: { perm: [0, 2, 1, 3] } });
    },
    joinHeads,
    splitFusedHeads(value, heads, parts, headSize) {
      const split = graph.node("Reshape", [value, integers(1, -1, heads, parts, headSize)]);
      const byPart = graph.node("Transpose", [split], { attributes: { perm: [3, 0, 2, 1, 4] } });
      return graph
        .nodes("Split", [byPart], parts, { attributes: { axis: 0, num_outputs: parts } })
        .map((part) => graph.node("Reshape", [part, integers(1, heads, -1, headSize)]));
    },
    rotate(value, rotary, heads) {
      const { cosines, sines } = tablesOf(rotary);
      const attributes = { num_heads: heads, rotary_embedding_dim: 2 * rotary.frequencies.length };
      return graph.node("RotaryEmbedding", [value, positionsOf(), cosines, sines], { domain: "com.microsoft", attributes });
    },
    attend,
    recent(value, channels, count) {
      inputs.ancestors = Math.max(inputs.ancestors, count - 1);
      const own = graph.node("Reshape", [value, integers(1, 1, -1, channels)]);
      const all = graph.node("Reshape", [withPast("convolved", own, 1, channels), integers(-1, channels)]);
      const none = graph.constant(floatTensor(new Float32Array(channels), [1, channels]));
      const rows = graph.node("Concat", [none, all], { attributes: { axis: 0 } });
      const before = (distance: number): string => {
        const name = ancestorInput(distance);
        return graph.node("Gather", [rows, once(name, () => graph.input(name, "int64", ["T"]))], { attributes: { axis: 0 } });
      };
      return [...Array.from({ length: count - 1 }, (_, at) => before(count - 1 - at)), value];
    },
    deltaRule: refuseRecurrent,
  };
}
