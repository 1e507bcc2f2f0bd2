import { at } from "@mbs/contracts";
import { encoderStream, hiddenStream } from "../../forward/streams.ts";
import type { Activation } from "../../graph/activations.ts";
import { rmsNorm } from "../../graph/norms.ts";
import type { Attention, SequenceGraph } from "../../graph/sequence-graph.ts";
import type { BlockGraphValues } from "../layout.ts";
import { blockLinear, normVectors } from "./decoder-blocks.ts";
import type { BlockDescription, BlockLinear } from "./decoder-blocks.ts";

const { fround, log, trunc } = Math;

/** What all blocks of a T5 have in common: RMS norms before each part, no biases, unscaled attention. */
export interface T5Block {
  readonly hidden: number;
  readonly heads: number;
  readonly headSize: number;
  /** Width of the MLP. */
  readonly inner: number;
  readonly activation: Activation;
  /** Whether the MLP is gated. */
  readonly gated: boolean;
  readonly epsilon: number;
  /** Positions: learned biases by distance, which the blocks of a stack share. */
  readonly buckets: number;
  readonly farthest: number;
}

/** A stack of blocks; that of the decoder reads the encoder's states. */
export interface T5Stack {
  readonly block: T5Block;
  readonly blocks: number;
  readonly isDecoder: boolean;
}

/** The linear layers of an attention. */
interface T5Attention {
  readonly query: BlockLinear;
  readonly key: BlockLinear;
  readonly value: BlockLinear;
  readonly output: BlockLinear;
}

/** @param role what their roles begin with */
function attentionLinears({ hidden, heads, headSize }: T5Block, role: string, name: string): T5Attention {
  const all = heads * headSize;
  const input = (part: string): BlockLinear => blockLinear(`${role}${part}`, `${name}.${part}`, all, hidden, false);
  return {
    query: input("q"),
    key: input("k"),
    value: input("v"),
    output: blockLinear(`${role}o`, `${name}.o`, hidden, all, false),
  };
}

interface T5Linears {
  readonly self: T5Attention;
  /** Of the decoder alone: its queries attend to the encoder's keys. */
  readonly cross: T5Attention | undefined;
  readonly up: readonly BlockLinear[];
  readonly down: BlockLinear;
}

function linearsOf({ block, isDecoder }: T5Stack): T5Linears {
  const mlp = `layer.${isDecoder ? 2 : 1}.DenseReluDense`;
  const ups = block.gated ? ["wi_0", "wi_1"] : ["wi"];
  return {
    self: attentionLinears(block, "", "layer.0.SelfAttention"),
    cross: isDecoder ? attentionLinears(block, "cross-", "layer.1.EncDecAttention") : undefined,
    up: ups.map((name) => blockLinear(name, `${mlp}.${name}`, block.inner, block.hidden, false)),
    down: blockLinear("wo", `${mlp}.wo`, block.hidden, block.inner, false),
  };
}

/** The tensors and sites of a block. */
export function describeT5Block(stack: T5Stack): BlockDescription {
  const { isDecoder, block } = stack;
  const { self, cross, up, down } = linearsOf(stack);
  const norms = isDecoder ? ["norm1", "cross-norm", "norm2"] : ["norm1", "norm2"];
  return {
    stream: isDecoder ? hiddenStream : encoderStream,
    sites: [
      { name: "attention-qkv", linears: [self.query, self.key, self.value] },
      { name: "attention-output", linears: [self.output] },
      ...(cross === undefined
        ? []
        : [
            { name: "cross-attention-q", linears: [cross.query] },
            { name: "cross-attention-kv", linears: [cross.key, cross.value], stream: encoderStream },
            { name: "cross-attention-output", linears: [cross.output] },
          ]),
      { name: "mlp-up", linears: up },
      { name: "mlp-down", linears: [down] },
    ],
    others: norms.flatMap((role, at) => normVectors(role, `layer.${at}.layer_norm`, block.hidden, false)),
  };
}

/** How distances between tokens are divided into the buckets of T5's positions. */
export interface DistanceBuckets {
  /** Rows of the table of biases. */
  readonly buckets: number;
  /** Distances from this one on share a bucket. */
  readonly farthest: number;
  /** Whether keys after the query have buckets of their own; otherwise they share the bucket of distance 0. */
  readonly bidirectional: boolean;
}

/**
 * Bucket of a key `distance` tokens after the query: one for each small distance, then wider and wider ones.
 * Computed in float32, as T5 was trained.
 *
 * @see arXiv:1910.10683 §2.1
 */
export function distanceBucket(distance: number, { buckets, farthest, bidirectional }: DistanceBuckets): number {
  const side = bidirectional ? Math.floor(buckets / 2) : buckets;
  const first = bidirectional && distance > 0 ? side : 0;
  const away = bidirectional ? Math.abs(distance) : Math.max(0, -distance);
  const exact = Math.floor(side / 2);
  if (away < exact) return first + away;
  const octaves = fround(fround(log(fround(away / exact))) / fround(log(farthest / exact)));
  return first + Math.min(side - 1, exact + trunc(fround(octaves * (side - exact))));
}

/** Adds a block to a graph. @param isLast whether the norm that ends the encoder follows */
export function t5Block(sequence: SequenceGraph, states: string, stack: T5Stack, isLast: boolean): BlockGraphValues {
  const { graph } = sequence;
  const { block, isDecoder } = stack;
  const { hidden, heads, headSize, buckets, farthest, epsilon } = block;
  const linears = linearsOf(stack);
  const sites = new Map<string, string>();
  const norm = (value: string, role: string): string => rmsNorm(sequence, value, role, { size: hidden, epsilon });
  const add = (value: string, to: string): string => graph.node("Add", [value, to]);

  const attend = (site: string, normed: string, read: string, parts: T5Attention, how: Partial<Attention>): string => {
    const { query, key, value, output } = parts;
    const split = (from: string, layer: BlockLinear, stream?: string): string =>
      sequence.splitHeads(sequence.linear(from, layer), heads, headSize, stream);
    const attention = { heads, kvHeads: heads, headSize, scale: 1, ...how };
    const keys = split(read, key, how.stream);
    const context = sequence.attend(split(normed, query), keys, split(read, value, how.stream), attention);
    sites.set(`${site}-output`, context);
    return sequence.linear(context, output);
  };

  const bidirectional = !isDecoder;
  const distances = {
    table: sequence.weight("distances.weight", [buckets, heads]),
    bucket: (distance: number) => distanceBucket(distance, { buckets, farthest, bidirectional }),
  };
  const normed = norm(states, "norm1");
  sites.set("attention-qkv", normed);
  let middle = add(attend("attention", normed, normed, linears.self, { bidirectional, distances }), states);
  if (linears.cross !== undefined) {
    const crossed = norm(middle, "cross-norm");
    const encoded = sequence.otherStates(encoderStream);
    sites.set("cross-attention-q", crossed).set("cross-attention-kv", encoded);
    middle = add(attend("cross-attention", crossed, encoded, linears.cross, { stream: encoderStream }), middle);
  }
  const normedMiddle = norm(middle, "norm2");
  const ups = linears.up.map((layer) => sequence.linear(normedMiddle, layer));
  const activated = block.activation(graph, at(ups, 0));
  const [, second] = ups;
  const gated = second === undefined ? activated : graph.node("Mul", [activated, second]);
  sites.set("mlp-up", normedMiddle).set("mlp-down", gated);
  const made = add(sequence.linear(gated, linears.down), middle);
  return { sites, states: isLast && !isDecoder ? norm(made, "final-norm") : made };
}
