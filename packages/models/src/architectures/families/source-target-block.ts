import { at } from "@mbs/contracts";
import { encoderStream, hiddenStream } from "../../forward/streams.ts";
import type { Activation } from "../../graph/activations.ts";
import { layerNorm, rmsNorm } from "../../graph/norms.ts";
import type { Attention, DistanceBias, RowGraph, SequenceGraph } from "../../graph/sequence-graph.ts";
import type { BlockGraphValues } from "../layout.ts";
import { normVectors } from "./decoder-blocks.ts";
import type { BlockDescription, BlockLinear, BlockTensor } from "./decoder-blocks.ts";

/** The linear layers of an attention. */
export interface AttentionLinears {
  readonly query: BlockLinear;
  readonly key: BlockLinear;
  readonly value: BlockLinear;
  readonly output: BlockLinear;
}

/** A block of an encoder-decoder: a norm before each of its parts, whose results are added to the states. */
export interface SourceTargetBlock {
  readonly hidden: number;
  readonly heads: number;
  readonly headSize: number;
  /** Factor on query · key. */
  readonly scale: number;
  /** Layer norms have biases, RMS norms have none. */
  readonly norm: { readonly kind: "layer" | "rms"; readonly epsilon: number };
  /** Names of the norms before each part, in order; that before cross-attention in a decoder alone. */
  readonly normNames: readonly string[];
  readonly self: AttentionLinears;
  /** Of the decoder alone: its queries attend to the encoder's keys. */
  readonly cross: AttentionLinears | undefined;
  /** Two layers where the MLP is gated: the first one's output goes through the activation. */
  readonly up: readonly BlockLinear[];
  readonly down: BlockLinear;
  readonly activation: Activation;
  /** Biases by distance, of the block's own stream. */
  readonly distances?: (sequence: SequenceGraph) => DistanceBias;
  /** Tensors that the block reads beside its linear layers and norms. */
  readonly others?: readonly BlockTensor[];
}

const normRoles = ({ cross }: SourceTargetBlock): readonly string[] =>
  cross === undefined ? ["norm1", "norm2"] : ["norm1", "cross-norm", "norm2"];

/** The tensors and sites of a block. */
export function describeSourceTarget(block: SourceTargetBlock): BlockDescription {
  const { hidden, norm, normNames, self, cross, up, down, others = [] } = block;
  return {
    stream: cross === undefined ? encoderStream : hiddenStream,
    sites: [
      { name: "attention-qkv", linears: [self.query, self.key, self.value] },
      { name: "attention-output", linears: [self.output], adds: { factor: 1 } },
      ...(cross === undefined
        ? []
        : [
            { name: "cross-attention-q", linears: [cross.query] },
            { name: "cross-attention-kv", linears: [cross.key, cross.value], stream: encoderStream },
            { name: "cross-attention-output", linears: [cross.output], adds: { factor: 1 } },
          ]),
      { name: "mlp-up", linears: up },
      { name: "mlp-down", linears: [down], adds: { factor: 1 } },
    ],
    others: [
      ...normRoles(block).flatMap((role, index) => normVectors(role, at(normNames, index), hidden, norm.kind === "layer")),
      ...others,
    ],
  };
}

/** One of the norms, by its role. */
export const sourceTargetNorm = (
  rows: RowGraph,
  value: string,
  role: string,
  { hidden: size, norm: { kind, epsilon } }: Pick<SourceTargetBlock, "hidden" | "norm">,
): string => (kind === "layer" ? layerNorm : rmsNorm)(rows, value, role, { size, epsilon });

/** Adds a block to a graph. @param isLast whether the norm that ends the encoder follows */
export function sourceTargetBlock(
  sequence: SequenceGraph,
  states: string,
  block: SourceTargetBlock,
  isLast: boolean,
): BlockGraphValues {
  const { graph } = sequence;
  const { heads, headSize, scale, distances } = block;
  const bidirectional = block.cross === undefined;
  const sites = new Map<string, string>();
  const residuals = new Map<string, string>();
  const norm = (value: string, role: string): string => sourceTargetNorm(sequence, value, role, block);
  const add = (value: string, to: string): string => graph.node("Add", [value, to]);

  const attend = (site: string, normed: string, read: string, parts: AttentionLinears, how: Partial<Attention>): string => {
    const { query, key, value, output } = parts;
    const split = (from: string, layer: BlockLinear, stream?: string): string =>
      sequence.splitHeads(sequence.linear(from, layer), heads, headSize, stream);
    const attention = { heads, kvHeads: heads, headSize, scale, ...how };
    const keys = split(read, key, how.stream);
    const context = sequence.attend(split(normed, query), keys, split(read, value, how.stream), attention);
    sites.set(`${site}-output`, context);
    return sequence.linear(context, output);
  };

  const own = { bidirectional, ...(distances && { distances: distances(sequence) }) };
  const normed = norm(states, "norm1");
  sites.set("attention-qkv", normed);
  let middle = add(attend("attention", normed, normed, block.self, own), states);
  residuals.set("attention-output", states);
  if (block.cross !== undefined) {
    const crossed = norm(middle, "cross-norm");
    const encoded = sequence.otherStates(encoderStream);
    sites.set("cross-attention-q", crossed).set("cross-attention-kv", encoded);
    residuals.set("cross-attention-output", middle);
    middle = add(attend("cross-attention", crossed, encoded, block.cross, { stream: encoderStream }), middle);
  }
  const normedMiddle = norm(middle, "norm2");
  const ups = block.up.map((layer) => sequence.linear(normedMiddle, layer));
  const activated = block.activation(graph, at(ups, 0));
  const [, second] = ups;
  const gated = second === undefined ? activated : graph.node("Mul", [activated, second]);
  sites.set("mlp-up", normedMiddle).set("mlp-down", gated);
  residuals.set("mlp-down", middle);
  const made = add(sequence.linear(gated, block.down), middle);
  return { sites, residuals, states: isLast && bidirectional ? norm(made, "final-norm") : made };
}
