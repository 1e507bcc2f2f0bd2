import type { GraphMessage, NodeMessage } from "../onnx-messages.ts";
import type { Span } from "./byte-source.ts";

export interface GraphNode {
  readonly name: string;
  /** Operator with its domain: "MatMul", "com.microsoft.MatMulNBits". */
  readonly operator: string;
  /** What it reads: its inputs ("" for an absent one), then what graphs inside it take from outside. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly message: NodeMessage;
  /** The whole field. */
  readonly span: Span;
}

/** ONNX's own operators have no domain, or this one. */
export const plainDomain = (domain: string): string => (domain === "ai.onnx" ? "" : domain);

/** Names a node in an error. */
export const nodeText = ({ name, operator, outputs }: GraphNode): string => `node ${name || outputs[0] || "?"} (${operator})`;

/** Graphs inside a node: the branches of an If, the body of a Loop. */
export const innerGraphs = ({ attribute }: NodeMessage): readonly GraphMessage[] =>
  attribute.flatMap(({ g, graphs = [] }) => [...(g ? [g] : []), ...graphs]);

/** Names that the graphs inside a node read from around it. */
function capturedNames(node: NodeMessage): readonly string[] {
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

/** A node from its message. */
export function nodeOf(message: NodeMessage, span: Span): GraphNode {
  const { name, opType, domain, input, output } = message;
  return {
    name,
    operator: plainDomain(domain) === "" ? opType : `${domain}.${opType}`,
    inputs: [...input, ...capturedNames(message)],
    outputs: output,
    message,
    span,
  };
}
