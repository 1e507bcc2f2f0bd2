import type { Span } from "./byte-source.ts";
import { capturedNames } from "./captured-names.ts";
import type { NodeMessage } from "../onnx-messages.ts";

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
