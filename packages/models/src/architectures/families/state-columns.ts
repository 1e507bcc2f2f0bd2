import { floatTensor, integerTensor } from "@mbs/onnx";
import type { GraphBuilder } from "@mbs/onnx";
import { scaled } from "../../graph/scaling.ts";
import type { EmbedGraph } from "../../graph/sequence-graph.ts";
import type { GatedDecoder } from "./gated-block.ts";

/* States of more columns than the residual stream has channels: behind them stands what later blocks read. */

/** Columns from … to-1 of a value [rows, columns]. */
export const columns = (graph: GraphBuilder, value: string, from: number, to: number): string =>
  graph.node("Slice", [value, ...[from, to, 1].map((number) => graph.constant(integerTensor([number])))]);

/** How many there are. */
export const stateWidthOf = ({ hidden, perLayer }: GatedDecoder): number =>
  perLayer === undefined ? hidden : perLayer.column + 1;

/** The channels of the residual stream. */
export const channels = (graph: GraphBuilder, states: string, { hidden, perLayer }: GatedDecoder): string =>
  perLayer === undefined ? states : columns(graph, states, 0, hidden);

/** States before the first block: nothing is shared yet. */
export function embedStates(embed: EmbedGraph, rows: string, decoder: GatedDecoder): string {
  const { graph } = embed;
  const { hidden, embeddingScale, perLayer } = decoder;
  const embedded = scaled(graph, rows, embeddingScale);
  if (perLayer === undefined) return embedded;
  const ids = graph.node("Cast", [embed.tokens()], { attributes: { to: 1 } });
  const column = graph.node("Reshape", [ids, graph.constant(integerTensor([-1, 1]))]);
  const shared = perLayer.column - hidden;
  const none = graph.node("Mul", [column, graph.constant(floatTensor(new Float32Array(shared), [1, shared]))]);
  return graph.node("Concat", [embedded, ...(shared === 0 ? [] : [none]), column], { attributes: { axis: 1 } });
}

/** What replaces columns of the states. */
export interface Written {
  readonly first: number;
  readonly width: number;
  readonly value: string;
}

/** States in which some columns are replaced. @param written in the order of their columns */
export function replaceColumns(graph: GraphBuilder, states: string, stateWidth: number, written: readonly Written[]): string {
  const parts: string[] = [];
  let next = 0;
  for (const { first, width, value } of written) {
    if (first > next) parts.push(columns(graph, states, next, first));
    parts.push(value);
    next = first + width;
  }
  if (next < stateWidth) parts.push(columns(graph, states, next, stateWidth));
  return parts.length === 1 ? (parts[0] ?? states) : graph.node("Concat", parts, { attributes: { axis: 1 } });
}
