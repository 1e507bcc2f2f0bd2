import { floatTensor, integerTensor } from "@mbs/onnx";
import type { EmbedGraph } from "./sequence-graph.ts";

/**
 * Positions as fairseq computes them: sines, then cosines, of (position + first) · frequency.
 *
 * @param width even, at least 4
 * @param first what the first position counts as
 * @returns [rows, width]
 */
export function sinusoids({ graph, ...embed }: EmbedGraph, width: number, first: number): string {
  const pairs = width / 2;
  const frequencies = Float32Array.from({ length: pairs }, (_, pair) => 10_000 ** (-pair / (pairs - 1)));
  const shifted = graph.node("Add", [embed.positions(), graph.constant(integerTensor([first]))]);
  const column = graph.node("Unsqueeze", [shifted, graph.constant(integerTensor([1]))]);
  const positions = graph.node("Cast", [column], { attributes: { to: 1 } });
  const angles = graph.node("Mul", [positions, graph.constant(floatTensor(frequencies, [1, pairs]))]);
  return graph.node("Concat", [graph.node("Sin", [angles]), graph.node("Cos", [angles])], { attributes: { axis: 1 } });
}
