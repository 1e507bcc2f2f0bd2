import { integerTensor } from "@mbs/onnx";
import type { GraphBuilder } from "@mbs/onnx";
import type { CausalConv } from "./sequence-graph.ts";

/** Segments of one length, stacked in the rows. */
interface Segments {
  readonly batch: number;
  readonly length: number;
}

/**
 * Adds a causal convolution by channels to a graph: a sum of as many products as there are weights of a channel. The operator Conv
 * with a group for each channel takes as long, and of 6144 channels 0.3 s to prepare.
 *
 * @param value [batch · length, channels]
 * @param weight [channels, 1, kernel], the last column for the own token
 * @returns [batch · length, channels]
 */
export function causalConv(
  graph: GraphBuilder,
  value: string,
  weight: string,
  { batch, length, channels, kernel }: CausalConv & Segments,
): string {
  const integers = (...values: number[]): string => graph.constant(integerTensor(values));
  const byToken = graph.node("Reshape", [value, integers(batch, length, channels)]);
  const padded = graph.node("Pad", [byToken, integers(0, kernel - 1, 0, 0, 0, 0)]);
  const taps = graph.node("Transpose", [weight], { attributes: { perm: [2, 1, 0] } });
  const parts = Array.from({ length: kernel }, (_, tap) => {
    const read = graph.node("Slice", [padded, integers(tap), integers(tap + length), integers(1)]);
    return graph.node("Mul", [read, graph.node("Slice", [taps, integers(tap), integers(tap + 1), integers(0)])]);
  });
  const sum = parts.reduce((a, b) => graph.node("Add", [a, b]));
  return graph.node("Reshape", [sum, integers(batch * length, channels)]);
}
