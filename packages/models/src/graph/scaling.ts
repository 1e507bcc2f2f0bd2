import { floatTensor } from "@mbs/onnx";
import type { GraphBuilder } from "@mbs/onnx";

const number = (graph: GraphBuilder, value: number): string => graph.constant(floatTensor(Float32Array.of(value), []));

/** A value times a number. */
export const scaled = (graph: GraphBuilder, value: string, factor: number): string =>
  factor === 1 ? value : graph.node("Mul", [value, number(graph, factor)]);

/** cap · tanh(x / cap), or x itself where there is no cap. @see arXiv:2408.00118 §2 */
export function softcapped(graph: GraphBuilder, value: string, cap: number | undefined): string {
  if (cap === undefined) return value;
  const bounded = graph.node("Tanh", [graph.node("Div", [value, number(graph, cap)])]);
  return scaled(graph, bounded, cap);
}
