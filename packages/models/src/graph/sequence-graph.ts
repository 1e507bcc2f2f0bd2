import type { GraphBuilder } from "@mbs/onnx";
import type { Rotary } from "./rotary.ts";

/** A linear layer y = x·Wᵀ + b. Its weight is the input `ROLE.weight`, its bias `ROLE.bias`. */
export interface LinearLayer {
  readonly role: string;
  /** Output features. */
  readonly rows: number;
  /** Input features. */
  readonly columns: number;
  readonly bias: boolean;
}

/** A learned bias on the score of a key, by its distance from the query. */
export interface DistanceBias {
  /** Name of a value [buckets, heads]. */
  readonly table: string;
  /** Row of the table for a key `distance` tokens after the query; negative: before it. */
  readonly bucket: (distance: number) => number;
}

/** Softmax attention of one layer: causal, unless `bidirectional` or `stream` say otherwise. */
export interface Attention {
  readonly heads: number;
  /** Divides `heads`; head h reads key head floor(h · kvHeads / heads). */
  readonly kvHeads: number;
  readonly headSize: number;
  /** Factor on query · key. */
  readonly scale: number;
  /** Bias on the score of a key at position j: slope · j, one slope a head. */
  readonly slopes?: Float32Array;
  /** A query sees itself and the `window` - 1 keys before it; all where absent. */
  readonly window?: number;
  /** Scores s become cap · tanh(s / cap). */
  readonly softcap?: number;
  readonly distances?: DistanceBias;
  /** Name of a value [heads]: one more score of each query, which takes its share of the softmax and has no key and no value. */
  readonly sinks?: string;
  /** Whether a query sees the keys after it too. */
  readonly bidirectional?: boolean;
  /** The other stream that has the keys and values; a query sees all of it. */
  readonly stream?: string;
}

/** Sizes of the gated delta rule. */
export interface DeltaRule {
  readonly heads: number;
  /** Elements of a query and of a key. */
  readonly keySize: number;
  /** Elements of a value. */
  readonly valueSize: number;
}

/** What the rule reads, by heads. */
export interface DeltaInputs {
  /** [batch, heads, length, keySize] */
  readonly query: string;
  readonly key: string;
  /** [batch, heads, length, valueSize] */
  readonly value: string;
  /** Logarithm of what the state is multiplied by before a token, at most 0: [batch, heads, length, 1]. */
  readonly decay: string;
  /** Share of what a token changes, 0 … 1: [batch, heads, length, 1]. */
  readonly share: string;
}

/** A graph that computes each row, one a token, by itself. */
export interface RowGraph {
  readonly graph: GraphBuilder;
  /** Adds a weight to the graph as an input, by the name of its role, and returns the value's name. */
  weight(role: string, shape: readonly number[]): string;
  /** [rows, columns of the layer] → [rows, rows of the layer]; the only way in which architectures multiply by a matrix. */
  linear(input: string, layer: LinearLayer): string;
}

/** The graph of the embedding. */
export interface EmbedGraph extends RowGraph {
  /** Whose texts are embedded: of an encoder-decoder the encoder's or the decoder's. */
  readonly stream: string;
  /** Position of each row's token in its text, int64 [rows]. */
  positions(): string;
  /** Each row's token, int64 [rows]. */
  tokens(): string;
}

/**
 * The graph of a block. An architecture uses neither batch nor length itself: what depends on them is asked for here, because
 * calibration stacks segments, and an exported decoder has a batch and a cache.
 */
export interface SequenceGraph extends RowGraph {
  /** States of another stream that the block reads, [rows of that stream, width]. An exported decoder has none. */
  otherStates(stream: string): string;
  /** What the block reads of each token by the layout's `tokenInput`, [rows, width]. An exported decoder has none. */
  tokenInput(width: number): string;
  /**
   * [rows, heads · headSize] → [batch, heads, length, headSize]
   *
   * @param stream whose rows they are; the block's own where not given
   */
  splitHeads(value: string, heads: number, headSize: number, stream?: string): string;
  /** The inverse of `splitHeads`, of the block's own rows. */
  joinHeads(value: string, heads: number, headSize: number): string;
  /** [rows, heads · parts · headSize], the parts of each head side by side → `parts` times [batch, heads, length, headSize] */
  splitFusedHeads(value: string, heads: number, parts: number, headSize: number): readonly string[];
  /** Rotary embedding of [batch, heads, length, headSize]. */
  rotate(value: string, rotary: Rotary, heads: number): string;
  /**
   * @param query [batch, heads, length, headSize]
   * @param key,value [batch, kvHeads, length, headSize], rotated already
   * @returns the context, [rows, heads · headSize]
   */
  attend(query: string, key: string, value: string, attention: Attention): string;
  /**
   * What a convolution reads: of each row, the values of the tokens before it in its text and its own; zeros before the text.
   *
   * @param value [rows, channels]
   * @param count of tokens, its own included
   * @returns [rows, channels] for each of them, its own last
   */
  recent(value: string, channels: number, count: number): readonly string[];
  /**
   * The gated delta rule. Token trees and exported decoders have none: see `keepsState` of a layout.
   *
   * @returns [batch, heads, length, valueSize]
   */
  deltaRule(inputs: DeltaInputs, rule: DeltaRule): string;
}

/** The input of a block's graph that `tokenInput` adds. */
export const tokenInputName = "token input";

/** Declares a weight as an input of a graph. */
export type WeightInput = RowGraph["weight"];

/** A graph over rows, with float32 weights. */
export const createRowGraph = (graph: GraphBuilder, weight: WeightInput): RowGraph => ({
  graph,
  weight,
  linear(input, { role, rows, columns, bias }) {
    const inputs = [input, weight(`${role}.weight`, [rows, columns]), ...(bias ? [weight(`${role}.bias`, [rows])] : [])];
    return graph.node("Gemm", inputs, { attributes: { transB: 1 }, name: role });
  },
});
