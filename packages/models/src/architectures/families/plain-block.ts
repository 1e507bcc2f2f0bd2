import { at } from "@mbs/contracts";
import type { Activation } from "../../graph/activations.ts";
import { layerNorm } from "../../graph/norms.ts";
import type { NormShape } from "../../graph/norms.ts";
import type { Rotary } from "../../graph/rotary.ts";
import type { SequenceGraph } from "../../graph/sequence-graph.ts";
import type { BlockGraphValues } from "../layout.ts";
import { normVectors } from "./decoder-blocks.ts";
import type { BlockDescription, BlockLinear } from "./decoder-blocks.ts";

/** A block of the GPT family: layer norms before attention and a plain MLP, all linear layers with a bias unless their own says otherwise. */
export interface PlainBlock {
  readonly heads: number;
  /** Of the states. */
  readonly norm: NormShape;
  readonly activation: Activation;
  /** Three layers; or one whose rows are all queries, keys and values, or those of each head side by side. */
  readonly qkv: readonly BlockLinear[];
  readonly interleaved: boolean;
  readonly output: BlockLinear;
  readonly up: BlockLinear;
  readonly down: BlockLinear;
  /** Names of the norms before attention and MLP. */
  readonly normNames: readonly [string, string];
  readonly rotary?: Rotary;
  /** Of the linear bias, one a head. */
  readonly slopes?: Float32Array;
  /** Whether the MLP reads the states from before attention. */
  readonly parallel?: boolean;
  /** Whether attention and MLP are added to the normed states instead of the states. */
  readonly residualAfterNorm?: boolean;
  readonly unread?: readonly string[];
}

/** The tensors and sites of a plain block. */
export function describePlain({
  qkv,
  output,
  up,
  down,
  norm,
  normNames,
  parallel,
  residualAfterNorm,
  unread = [],
}: PlainBlock): BlockDescription {
  const normedBy = (role: string) => (residualAfterNorm === true ? {} : { norm: { role } });
  return {
    sites: [
      { name: "attention-qkv", linears: qkv, ...normedBy("norm1") },
      // both of a parallel block are added to the same states
      { name: "attention-output", linears: [output], ...(parallel !== true && { adds: { factor: 1 } }) },
      { name: "mlp-up", linears: [up], ...normedBy("norm2") },
      { name: "mlp-down", linears: [down], adds: { factor: 1 } },
    ],
    others: normNames.flatMap((name, at) => normVectors(`norm${at + 1}`, name, norm.size, true)),
    unread,
  };
}

/** [rows, hidden], normed → query, key and value, each [batch, heads, length, headSize] */
function makeHeads(
  sequence: SequenceGraph,
  normed: string,
  { heads, norm, qkv, interleaved, rotary }: PlainBlock,
): { readonly query: string; readonly key: string; readonly value: string } {
  const headSize = norm.size / heads;
  const made = qkv.map((layer) => sequence.linear(normed, layer));
  const split = (fused: string): readonly string[] =>
    sequence.graph.nodes("Split", [fused], 3, { attributes: { axis: 1, num_outputs: 3 } });
  const parts = interleaved
    ? sequence.splitFusedHeads(at(made, 0), heads, 3, headSize)
    : (made.length === 1 ? split(at(made, 0)) : made).map((part) => sequence.splitHeads(part, heads, headSize));
  const turned = (part: string): string => (rotary === undefined ? part : sequence.rotate(part, rotary, heads));
  return { query: turned(at(parts, 0)), key: turned(at(parts, 1)), value: at(parts, 2) };
}

/** Adds a plain block to a graph: states → states and what its linear layers read. */
export function plainBlock(sequence: SequenceGraph, states: string, block: PlainBlock): BlockGraphValues {
  const { graph } = sequence;
  const { heads, norm, activation, slopes, parallel = false, residualAfterNorm = false } = block;
  const headSize = norm.size / heads;
  const normed = layerNorm(sequence, states, "norm1", norm);
  const { query, key, value } = makeHeads(sequence, normed, block);
  const attention = { heads, kvHeads: heads, headSize, scale: 1 / Math.sqrt(headSize), ...(slopes && { slopes }) };
  const context = sequence.attend(query, key, value, attention);
  const attended = sequence.linear(context, block.output);
  const residual = residualAfterNorm ? normed : states;
  const middle = graph.node("Add", [attended, residual]);
  const normedMiddle = layerNorm(sequence, parallel ? states : middle, "norm2", norm);
  const activated = activation(graph, sequence.linear(normedMiddle, block.up));
  const middleResidual = residualAfterNorm ? normedMiddle : middle;
  return {
    sites: new Map([
      ["attention-qkv", normed],
      ["attention-output", context],
      ["mlp-up", normedMiddle],
      ["mlp-down", activated],
    ]),
    residuals: new Map([
      ["attention-output", residual],
      ["mlp-down", parallel ? residual : middleResidual],
    ]),
    states: graph.node("Add", [sequence.linear(activated, block.down), middleResidual]),
  };
}
