import { at } from "@mbs/contracts";
import { integerTensor } from "@mbs/onnx";
import type { SequenceGraph } from "./sequence-graph.ts";

/** A convolution over the tokens of a text, each channel by itself. */
export interface ConvolutionShape {
  readonly channels: number;
  /** Tokens that it sees: itself, and those before it. */
  readonly width: number;
  readonly bias: boolean;
}

/**
 * Adds a causal convolution: a sum of each token's values and those of the tokens before it, zeros before the text. Its weight
 * is `ROLE.weight`, [channels, 1, width], whose last column is the token's own; its bias `ROLE.bias`.
 *
 * @param value [rows, channels]
 * @returns [rows, channels]
 */
export function causalConvolution(
  sequence: SequenceGraph,
  value: string,
  role: string,
  { channels, width, bias }: ConvolutionShape,
): string {
  const { graph } = sequence;
  const weight = sequence.weight(`${role}.weight`, [channels, 1, width]);
  const byChannel = graph.node("Reshape", [weight, graph.constant(integerTensor([channels, width]))]);
  const byToken = graph.node("Transpose", [byChannel], { attributes: { perm: [1, 0] } });
  const factors = graph.nodes("Split", [byToken], width, { attributes: { axis: 0, num_outputs: width } });
  const terms = sequence.recent(value, channels, width).map((own, index) => graph.node("Mul", [own, at(factors, index)]));
  const sum = terms.reduce((one, other) => graph.node("Add", [one, other]));
  return bias ? graph.node("Add", [sum, sequence.weight(`${role}.bias`, [channels])]) : sum;
}
