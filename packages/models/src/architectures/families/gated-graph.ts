import { at } from "@mbs/contracts";
import { integerTensor } from "@mbs/onnx";
import { sigmoid } from "../../graph/activations.ts";
import { unitNorm } from "../../graph/norms.ts";
import { causalConvolution } from "../../graph/causal-conv.ts";
import type { Rotary } from "../../graph/rotary.ts";
import { scaled } from "../../graph/scaling.ts";
import type { SequenceGraph } from "../../graph/sequence-graph.ts";
import type { BlockGraphValues } from "../layout.ts";
import { mixingSites, normedTogether } from "./gated-block.ts";
import type { BlockKind, GatedDecoder, GatedLinears, HeadNorms, ShortConvolution } from "./gated-block.ts";
import { besideRoles, mixExperts } from "./gated-experts.ts";
import { gatedNorm } from "./gated-norm.ts";
import { linearContext } from "./linear-attention.ts";
import { readPerLayer } from "./per-layer-input.ts";
import { channels, columns, replaceColumns, stateWidthOf } from "./state-columns.ts";
import type { Written } from "./state-columns.ts";

/** A block of one kind. */
export interface GatedBlock {
  readonly kind: BlockKind;
  /** With the sizes of the kind. */
  readonly decoder: GatedDecoder;
  readonly linears: GatedLinears;
}

/**
 * Heads whose rotary pairs are neighbours, [batch, heads, length, headSize], with the first elements of all pairs before the
 * second ones. Scores stay: the elements of queries and keys are reordered alike.
 */
function apart({ graph }: SequenceGraph, value: string, headSize: number): string {
  const half = headSize / 2;
  const order = Array.from({ length: headSize }, (_, element) => (element % half) * 2 + Math.floor(element / half));
  return graph.node("Gather", [value, graph.constant(integerTensor(order))], { attributes: { axis: 3 } });
}

/** Columns of a value in consecutive parts. */
function splitColumns({ graph }: SequenceGraph, value: string, sizes: readonly number[]): string[] {
  return graph.nodes("Split", [value, graph.constant(integerTensor(sizes))], sizes.length, { attributes: { axis: 1 } });
}

/** What mixes the tokens of a text. */
interface Mixed {
  /** What the layer behind it reads. */
  readonly context: string;
  /** What later blocks read of it, in columns of the states. */
  readonly written: readonly Written[];
}

/** The first of three parts times the third goes through the convolution, and the second multiplies what it makes. */
function convolve(
  sequence: SequenceGraph,
  normed: string,
  { decoder: { hidden }, linears: { qkv } }: GatedBlock,
  convolution: ShortConvolution,
): Mixed {
  const { graph } = sequence;
  const [before, after, value] = splitColumns(sequence, sequence.linear(normed, at(qkv, 0)), [hidden, hidden, hidden]);
  const read = graph.node("Mul", [before ?? "", value ?? ""]);
  const made = causalConvolution(sequence, read, "conv", { channels: hidden, ...convolution });
  return { context: graph.node("Mul", [after ?? "", made]), written: [] };
}

/** What attention makes of normed states: its context, and the keys and values that it attended to. */
function attend(sequence: SequenceGraph, normed: string, states: string, { decoder, linears, kind }: GatedBlock): Mixed {
  const { heads, kvHeads, headSize, scale, softcap, headNorms, valueNorm, neighbours, norm, fused, sinks, outputGate } = decoder;
  const { rotary, queryRotary = rotary, window, shared, keysAreValues } = kind;
  const made = linears.qkv.map((layer) => sequence.linear(normed, layer));
  const sizes = [heads, kvHeads, kvHeads].map((count) => count * headSize);
  const parts = fused ? splitColumns(sequence, at(made, 0), sizes) : made;
  const headsNormed = (value: string, role: string, count: number, of: HeadNorms["of"]): string =>
    headNorms?.of === of ? gatedNorm(sequence, value, role, normedTogether(decoder, count), norm) : value;
  // without frequencies all elements stay as they are
  const rotated = (head: string, count: number, own: Rotary): string =>
    own.frequencies.length === 0 ? head : sequence.rotate(neighbours ? apart(sequence, head, headSize) : head, own, count);
  const byHead = (value: string, role: string, count: number): string =>
    sequence.splitHeads(headsNormed(value, role, count, "all heads"), count, headSize);
  const turned = (split: string, role: string, count: number, own: Rotary): string =>
    headsNormed(rotated(headsNormed(split, role, count, "head"), count, own), role, count, "turned head");
  const [queries, gate] = outputGate
    ? sequence.splitFusedHeads(at(parts, 0), heads, 2, headSize)
    : [byHead(at(parts, 0), "query-norm", heads)];
  const query = turned(queries ?? "", "query-norm", heads, queryRotary);
  const split = (value: string): string => sequence.splitHeads(value, kvHeads, headSize);
  const ownKey = (): string => turned(byHead(at(parts, 1), "key-norm", kvHeads), "key-norm", kvHeads, rotary);
  const ownValue = (): string => {
    const value = split(at(parts, keysAreValues ? 1 : 2));
    return valueNorm ? unitNorm(sequence, value, { size: headSize, epsilon: norm.epsilon }) : value;
  };
  const width = kvHeads * headSize;
  const read = (first: number): string => split(columns(sequence.graph, states, first, first + width));
  const [key, value] = shared?.reads ? [read(shared.first), read(shared.first + width)] : [ownKey(), ownValue()];
  const context = sequence.attend(query, key, value, {
    heads,
    kvHeads,
    headSize,
    scale,
    ...(softcap !== undefined && { softcap }),
    ...(window !== undefined && { window }),
    ...(sinks && { sinks: sequence.weight("sinks", [heads]) }),
  });
  const gated = (by: string): string =>
    sequence.graph.node("Mul", [context, sigmoid(sequence.graph, sequence.joinHeads(by, heads, headSize))]);
  const attended = gate === undefined ? context : gated(gate);
  if (shared === undefined || shared.reads) return { context: attended, written: [] };
  const joined = (own: string): string => sequence.joinHeads(own, kvHeads, headSize);
  return {
    context: attended,
    written: [
      { first: shared.first, width, value: joined(key) },
      { first: shared.first + width, width, value: joined(value) },
    ],
  };
}

function mix(sequence: SequenceGraph, normed: string, states: string, block: GatedBlock): Mixed {
  const { decoder, linears, kind } = block;
  const { linear, convolution } = kind;
  if (convolution !== undefined) return convolve(sequence, normed, block, convolution);
  if (linear === undefined) return attend(sequence, normed, states, block);
  return { context: linearContext(sequence, normed, { ...decoder, linear, inputs: linears.qkv }), written: [] };
}

/** What an MLP or experts make, and what their layers read. */
interface FedForward {
  readonly sites: ReadonlyMap<string, string>;
  readonly states: string;
}

/** The MLP. @param normed what it reads */
function mlp(
  sequence: SequenceGraph,
  normed: string,
  { inner, activation, gated, fused }: GatedDecoder,
  linears: GatedLinears,
): FedForward {
  const { graph } = sequence;
  const ups = linears.up.map((layer) => sequence.linear(normed, layer));
  const parts = fused ? splitColumns(sequence, at(ups, 0), [inner, inner]) : ups;
  const activated = activation.apply(sequence, at(parts, 0));
  const read = gated ? graph.node("Mul", [activated, at(parts, 1)]) : activated;
  return {
    sites: new Map([
      ["mlp-up", normed],
      ["mlp-down", read],
    ]),
    states: sequence.linear(read, linears.down),
  };
}

/**
 * The MLP, or experts in its place or beside it.
 *
 * @param states before the norm of what the MLP reads
 * @param normed behind it
 */
function feedForward(sequence: SequenceGraph, states: string, normed: string, { decoder, linears }: GatedBlock): FedForward {
  const { graph } = sequence;
  const { experts, hidden, norm } = decoder;
  const { experts: layers } = linears;
  if (experts === undefined || layers === undefined) return mlp(sequence, normed, decoder, linears);
  const mixed = (router: string, read: string): FedForward =>
    mixExperts(sequence, { router, experts: read }, { ...decoder, ...experts }, layers);
  if (experts.beside === undefined) return mixed(normed, normed);
  const own = (value: string, role: string): string => gatedNorm(sequence, value, role, hidden, norm);
  const router = scaled(graph, own(states, besideRoles.router), hidden ** -0.5);
  const [dense, routed] = [mlp(sequence, normed, decoder, linears), mixed(router, own(states, besideRoles.before))];
  return {
    sites: new Map([...dense.sites, ...routed.sites]),
    states: graph.node("Add", [own(dense.states, besideRoles.mlp), own(routed.states, besideRoles.after)]),
  };
}

/** Adds a block of the Llama family to a graph: states → states and what its linear layers read. */
export function gatedBlock(sequence: SequenceGraph, states: string, block: GatedBlock): BlockGraphValues {
  const { graph } = sequence;
  const { decoder, linears, kind } = block;
  const { hidden, norms, parallel, residualScale, blockFactor } = decoder;
  const residual = channels(graph, states, decoder);
  const normed = (value: string, role: string, name: string | undefined): string =>
    name === undefined ? value : gatedNorm(sequence, value, role, hidden, decoder.norm);
  const added = (value: string, to: string): string => graph.node("Add", [scaled(graph, value, residualScale), to]);
  const first = normed(residual, "norm1", norms.beforeAttention);
  const { context, written } = mix(sequence, first, states, block);
  const attended = normed(sequence.linear(context, linears.output), "attention-norm", norms.afterAttention);
  const middle = added(attended, residual);
  const second = parallel ? first : normed(middle, "norm2", norms.beforeMlp);
  const { sites, states: made } = feedForward(sequence, middle, second, block);
  const after = added(normed(made, "mlp-norm", norms.afterMlp), middle);
  const perLayer = linears.perLayer && readPerLayer(sequence, after, decoder, linears.perLayer);
  const all = perLayer === undefined ? after : graph.node("Add", [after, perLayer.added]);
  const end = blockFactor === undefined ? all : graph.node("Mul", [all, sequence.weight("block-factor", [1])]);
  const [firstSite, secondSite] = mixingSites(decoder, kind);
  return {
    sites: new Map([[firstSite, first], [secondSite, context], ...sites, ...(perLayer?.sites ?? [])]),
    residuals: new Map([
      [secondSite, residual],
      ["mlp-down", parallel ? residual : middle],
    ]),
    states: replaceColumns(graph, states, stateWidthOf(decoder), [{ first: 0, width: hidden, value: end }, ...written]),
  };
}
