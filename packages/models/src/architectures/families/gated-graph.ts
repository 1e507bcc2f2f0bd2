import { at } from "@mbs/contracts";
import { integerTensor } from "@mbs/onnx";
import { rmsNorm } from "../../graph/norms.ts";
import type { Rotary } from "../../graph/rotary.ts";
import { scaled } from "../../graph/scaling.ts";
import type { SequenceGraph } from "../../graph/sequence-graph.ts";
import type { BlockGraphValues } from "../layout.ts";
import type { BlockKind, GatedDecoder, GatedLinears } from "./gated-block.ts";
import { mixExperts } from "./gated-experts.ts";

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
  const { heads, kvHeads, headSize, scale, softcap, headNorms, norm, fused } = decoder;
  const { rotary, queryRotary = rotary, window } = kind;
  const made = linears.qkv.map((layer) => sequence.linear(normed, layer));
  const sizes = [heads, kvHeads, kvHeads].map((count) => count * headSize);
  const parts = fused ? splitColumns(sequence, at(made, 0), sizes) : made;
  const part = (index: number, count: number): string => sequence.splitHeads(at(parts, index), count, headSize);
  const [query, key, value] = [part(0, heads), part(1, kvHeads), part(2, kvHeads)];
  const turned = (value: string, role: string, count: number, own: Rotary): string => {
    const normed = headNorms ? rmsNorm(sequence, value, role, { size: headSize, ...norm }) : value;
    // without frequencies all elements stay as they are
    return own.frequencies.length === 0 ? normed : sequence.rotate(normed, own, count);
  };
  const queries = turned(query, "query-norm", heads, queryRotary);
  return sequence.attend(queries, turned(key, "key-norm", kvHeads, rotary), value, {
    heads,
    kvHeads,
    headSize,
    scale,
    ...(softcap !== undefined && { softcap }),
    ...(window !== undefined && { window }),
  });
}

/** The gated MLP: what it makes of normed states, and what its layers read. */
function gatedMlp(
  sequence: SequenceGraph,
  normed: string,
  { inner, activation, fused }: GatedDecoder,
  linears: GatedLinears,
): { readonly sites: ReadonlyMap<string, string>; readonly states: string } {
  const { graph } = sequence;
  const ups = linears.up.map((layer) => sequence.linear(normed, layer));
  const parts = fused ? splitColumns(sequence, at(ups, 0), [inner, inner]) : ups;
  const gated = graph.node("Mul", [activation(graph, at(parts, 0)), at(parts, 1)]);
  return {
    sites: new Map([
      ["mlp-up", normed],
      ["mlp-down", gated],
    ]),
    states: sequence.linear(gated, linears.down),
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
  const { hidden, outerNorms, residualScale } = decoder;
  const norm = (value: string, role: string): string => rmsNorm(sequence, value, role, { size: hidden, ...decoder.norm });
  const added = (value: string, role: string, to: string): string =>
    graph.node("Add", [scaled(graph, outerNorms ? norm(value, role) : value, residualScale), to]);
  const normed = norm(states, "norm1");
  const context = attention(sequence, normed, decoder, linears, kind);
  const middle = added(sequence.linear(context, linears.output), "attention-norm", states);
  const normedMiddle = norm(middle, "norm2");
  const { sites, states: made } =
    decoder.experts !== undefined && linears.experts !== undefined
      ? mixExperts(sequence, normedMiddle, { ...decoder, ...decoder.experts }, linears.experts)
      : gatedMlp(sequence, normedMiddle, decoder, linears);
  return {
    sites: new Map([["attention-qkv", normed], ["attention-output", context], ...sites]),
    states: added(made, "mlp-norm", middle),
  };
}
