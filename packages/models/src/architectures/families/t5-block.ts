import type { Activation } from "../../graph/activations.ts";
import { blockLinear } from "./decoder-blocks.ts";
import type { AttentionLinears, SourceTargetBlock } from "./source-target-block.ts";

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
  /** Positions: learned biases by distance. */
  readonly buckets: number;
  readonly farthest: number;
}

/** The table of biases by distance, with its name in a block. */
export const distanceTable = ({ buckets, heads }: Pick<T5Block, "buckets" | "heads">) => ({
  role: "distances.weight",
  name: "layer.0.SelfAttention.relative_attention_bias.weight",
  shape: [buckets, heads],
});

/** @param role what their roles begin with */
function attentionLinears({ hidden, heads, headSize }: T5Block, role: string, name: string): AttentionLinears {
  const all = heads * headSize;
  const input = (part: string) => blockLinear(`${role}${part}`, `${name}.${part}`, all, hidden, false);
  return {
    query: input("q"),
    key: input("k"),
    value: input("v"),
    output: blockLinear(`${role}o`, `${name}.o`, hidden, all, false),
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

/** A block of the encoder or of the decoder. */
export function t5Block(block: T5Block, isDecoder: boolean): SourceTargetBlock {
  const { hidden, heads, headSize, inner, activation, gated, epsilon, buckets, farthest } = block;
  const mlp = `layer.${isDecoder ? 2 : 1}.DenseReluDense`;
  return {
    hidden,
    heads,
    headSize,
    scale: 1,
    norm: { kind: "rms", epsilon },
    normNames: [0, 1, 2].map((layer) => `layer.${layer}.layer_norm`),
    self: attentionLinears(block, "", "layer.0.SelfAttention"),
    cross: isDecoder ? attentionLinears(block, "cross-", "layer.1.EncDecAttention") : undefined,
    up: (gated ? ["wi_0", "wi_1"] : ["wi"]).map((name) => blockLinear(name, `${mlp}.${name}`, inner, hidden, false)),
    down: blockLinear("wo", `${mlp}.wo`, hidden, inner, false),
    activation,
    distances: (sequence) => ({
      table: sequence.weight("distances.weight", [buckets, heads]),
      bucket: (distance) => distanceBucket(distance, { buckets, farthest, bidirectional: !isDecoder }),
    }),
  };
}
