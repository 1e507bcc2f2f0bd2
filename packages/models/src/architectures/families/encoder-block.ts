import { at } from "@mbs/contracts";
import type { Activation } from "../../graph/activations.ts";
import { layerNorm } from "../../graph/norms.ts";
import type { NormShape } from "../../graph/norms.ts";
import type { SequenceGraph } from "../../graph/sequence-graph.ts";
import type { BlockGraphValues } from "../layout.ts";
import { normVectors } from "./decoder-blocks.ts";
import type { BlockDescription, BlockLinear } from "./decoder-blocks.ts";

/** A block of the BERT family: every token sees all others, and layer norms stand behind what is added to the states. */
export interface EncoderBlock {
  readonly heads: number;
  /** Of the states. */
  readonly norm: NormShape;
  readonly activation: Activation;
  /** Query, key and value. */
  readonly qkv: readonly BlockLinear[];
  readonly output: BlockLinear;
  readonly up: BlockLinear;
  readonly down: BlockLinear;
  /** Names of the norms behind attention and MLP. */
  readonly normNames: readonly [string, string];
}

/** The tensors and sites of an encoder's block. Norms make the states themselves, so none belongs to a site alone. */
export const describeEncoder = ({ qkv, output, up, down, norm, normNames }: EncoderBlock): BlockDescription => ({
  sites: [
    { name: "attention-qkv", linears: qkv },
    { name: "attention-output", linears: [output], adds: { factor: 1 } },
    { name: "mlp-up", linears: [up] },
    { name: "mlp-down", linears: [down], adds: { factor: 1 } },
  ],
  others: normNames.flatMap((name, index) => normVectors(`norm${index + 1}`, name, norm.size, true)),
});

/** Adds an encoder's block to a graph: states → states and what its linear layers read. */
export function encoderBlock(sequence: SequenceGraph, states: string, block: EncoderBlock): BlockGraphValues {
  const { graph } = sequence;
  const { heads, norm, qkv } = block;
  const headSize = norm.size / heads;
  const parts = qkv.map((layer) => sequence.splitHeads(sequence.linear(states, layer), heads, headSize));
  const attention = { heads, kvHeads: heads, headSize, scale: 1 / Math.sqrt(headSize), bidirectional: true };
  const context = sequence.attend(at(parts, 0), at(parts, 1), at(parts, 2), attention);
  const attended = graph.node("Add", [sequence.linear(context, block.output), states]);
  const middle = layerNorm(sequence, attended, "norm1", norm);
  const activated = block.activation(graph, sequence.linear(middle, block.up));
  const made = graph.node("Add", [sequence.linear(activated, block.down), middle]);
  return {
    sites: new Map([
      ["attention-qkv", states],
      ["attention-output", context],
      ["mlp-up", middle],
      ["mlp-down", activated],
    ]),
    residuals: new Map([
      ["attention-output", states],
      ["mlp-down", middle],
    ]),
    states: layerNorm(sequence, made, "norm2", norm),
  };
}
