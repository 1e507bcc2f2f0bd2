import type { GraphMessage, NodeMessage } from "../onnx-messages.ts";

/** Graphs inside a node: the branches of an If, the body of a Loop. */
export const innerGraphs = ({ attribute }: NodeMessage): readonly GraphMessage[] =>
  attribute.flatMap(({ g, graphs = [] }) => [...(g ? [g] : []), ...graphs]);

/** Names that the graphs inside a node read from around it. */
export function capturedNames(node: NodeMessage): readonly string[] {
  const captured = new Set<string>();
  for (const { node: nodes, initializer, input, output } of innerGraphs(node)) {
    const own = new Set(["", ...initializer.map(({ name = "" }) => name), ...input.map(({ name }) => name)]);
    for (const inner of nodes) {
      for (const name of [...inner.input, ...capturedNames(inner)]) if (!own.has(name)) captured.add(name);
      for (const name of inner.output) own.add(name);
    }
    for (const { name } of output) if (!own.has(name)) captured.add(name);
  }
  return [...captured];
}
