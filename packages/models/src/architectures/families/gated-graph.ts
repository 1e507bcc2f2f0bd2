import { at } from "@mbs/contracts";
import { integerTensor } from "@mbs/onnx";
import { layerNorm, rmsNorm } from "../../graph/norms.ts";
import { scaled } from "../../graph/scaling.ts";
import type { RowGraph, SequenceGraph } from "../../graph/sequence-graph.ts";
import type { BlockGraphValues } from "../layout.ts";
import { firstSite } from "./gated-block.ts";
import type { BlockKind, GatedDecoder, GatedLinears } from "./gated-block.ts";
import { mixExperts } from "./gated-experts.ts";

/** A norm of the decoder's kind over the last axis, of `size` elements. */
export const gatedNorm = (rows: RowGraph, value: string, role: string, size: number, norm: GatedDecoder["norm"]): string =>
  norm.centred
    ? layerNorm(rows, value, role, { size, epsilon: norm.epsilon, biased: false })
    : rmsNorm(rows, value, role, { size, ...norm });

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

/** What attention makes of normed states: its context. */
function attention(
  sequence: SequenceGraph,
  normed: string,
  decoder: GatedDecoder,
  linears: GatedLinears,
  kind: BlockKind,
): string {
  const { heads, kvHeads, headSize, scale, softcap, headNorms, neighbours, norm, fused } = decoder;
  const { rotary, window } = kind;
  const made = linears.qkv.map((layer) => sequence.linear(normed, layer));
  const sizes = [heads, kvHeads, kvHeads].map((count) => count * headSize);
  const parts = fused ? splitColumns(sequence, at(made, 0), sizes) : made;
  const part = (index: number, count: number): string => sequence.splitHeads(at(parts, index), count, headSize);
  const [query, key, value] = [part(0, heads), part(1, kvHeads), part(2, kvHeads)];
  const turned = (value: string, role: string, count: number): string => {
    const normed = (head: string): string => (headNorms ? gatedNorm(sequence, head, role, headSize, norm) : head);
    // without frequencies all elements stay as they are
    const rotated = (head: string): string =>
      rotary.frequencies.length === 0
        ? head
        : sequence.rotate(neighbours ? apart(sequence, head, headSize) : head, rotary, count);
    return headNorms?.afterRotation === true ? normed(rotated(value)) : rotated(normed(value));
  };
  return sequence.attend(turned(query, "query-norm", heads), turned(key, "key-norm", kvHeads), value, {
    heads,
    kvHeads,
    headSize,
    scale,
    ...(softcap !== undefined && { softcap }),
    ...(window !== undefined && { window }),
  });
}

/** The MLP: what it makes of normed states, and what its layers read. */
function mlp(
  sequence: SequenceGraph,
  normed: string,
  { inner, activation, gated, fused }: GatedDecoder,
  linears: GatedLinears,
): { readonly sites: ReadonlyMap<string, string>; readonly states: string } {
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

/** Adds a block of the Llama family to a graph: states → states and what its linear layers read. */
export function gatedBlock(
  sequence: SequenceGraph,
  states: string,
  decoder: GatedDecoder,
  linears: GatedLinears,
  kind: BlockKind,
): BlockGraphValues {
  const { graph } = sequence;
  const { hidden, norms, residualScale } = decoder;
  const norm = (value: string, role: string): string => gatedNorm(sequence, value, role, hidden, decoder.norm);
  const toRead = (value: string, role: string): string => (norms === "after" ? value : norm(value, role));
  const isMadeNormed = norms === "after" || norms === "around";
  const added = (value: string, role: string, to: string): string =>
    graph.node("Add", [scaled(graph, isMadeNormed ? norm(value, role) : value, residualScale), to]);
  const first = toRead(states, "norm1");
  const context = attention(sequence, first, decoder, linears, kind);
  const middle = added(sequence.linear(context, linears.output), "attention-norm", states);
  const second = norms === "shared" ? first : toRead(middle, "norm2");
  const { sites, states: made } =
    decoder.experts !== undefined && linears.experts !== undefined
      ? mixExperts(sequence, second, { ...decoder, ...decoder.experts }, linears.experts)
      : mlp(sequence, second, decoder, linears);
  return {
    sites: new Map([[firstSite(norms), first], ["attention-output", context], ...sites]),
    states: added(made, "mlp-norm", middle),
  };
}
