import { InternalError } from "@mbs/contracts";
import { floatTensor, integerTensor } from "@mbs/onnx";
import type { GraphBuilder } from "@mbs/onnx";
import { deltaRule } from "./delta-rule.ts";
import { rotaryTables } from "./rotary.ts";
import type { Rotary } from "./rotary.ts";
import { createRowGraph, tokenInputName } from "./sequence-graph.ts";
import type { SequenceGraph, WeightInput } from "./sequence-graph.ts";
import { softmaxAttention } from "./softmax-attention.ts";

/** Segments of one length, stacked in the rows; positions start at 0 in each. */
export interface StackedShape {
  readonly batch: number;
  readonly length: number;
  /** The other streams that the block reads: name of their states [batch · length, width], and length. */
  readonly others: ReadonlyMap<string, { readonly states: string; readonly length: number }>;
}

/** The graph of a block as calibration and evaluation run it: sizes are constants, attention is over whole segments. */
export function createStackedSequence(
  graph: GraphBuilder,
  weight: WeightInput,
  { batch, length, others }: StackedShape,
): SequenceGraph {
  const other = (stream: string): { readonly states: string; readonly length: number } => {
    const found = others.get(stream);
    if (found === undefined) throw new InternalError(`stream ${stream} was not given to a block that reads it`, { stream });
    return found;
  };
  const lengthOf = (stream: string | undefined): number => (stream === undefined ? length : other(stream).length);
  const integers = (...values: number[]): string => graph.constant(integerTensor(values));
  const tables = new Map<Rotary, { cosines: string; sines: string }>();
  const tablesOf = (rotary: Rotary): { cosines: string; sines: string } => {
    const known = tables.get(rotary);
    if (known !== undefined) return known;
    const { cosines, sines } = rotaryTables(rotary, length);
    const constant = (values: Float32Array): string => graph.constant(floatTensor(values, [length, rotary.frequencies.length]));
    const made = { cosines: constant(cosines), sines: constant(sines) };
    tables.set(rotary, made);
    return made;
  };
  return {
    ...createRowGraph(graph, weight),
    otherStates: (stream) => other(stream).states,
    tokenInput: (width) => graph.input(tokenInputName, "float32", [batch * length, width]),
    splitHeads(value, heads, headSize, stream) {
      const split = graph.node("Reshape", [value, integers(batch, lengthOf(stream), heads, headSize)]);
      return graph.node("Transpose", [split], { attributes: { perm: [0, 2, 1, 3] } });
    },
    joinHeads(value, heads, headSize) {
      const byToken = graph.node("Transpose", [value], { attributes: { perm: [0, 2, 1, 3] } });
      return graph.node("Reshape", [byToken, integers(batch * length, heads * headSize)]);
    },
    splitFusedHeads(value, heads, parts, headSize) {
      const split = graph.node("Reshape", [value, integers(batch, length, heads, parts, headSize)]);
      const byPart = graph.node("Transpose", [split], { attributes: { perm: [3, 0, 2, 1, 4] } });
      return graph
        .nodes("Split", [byPart], parts, { attributes: { axis: 0, num_outputs: parts } })
        .map((part) => graph.node("Reshape", [part, integers(batch, heads, length, headSize)]));
    },
    rotate(value, rotary, heads) {
      const { cosines, sines } = tablesOf(rotary);
      const attributes = { num_heads: heads, rotary_embedding_dim: 2 * rotary.frequencies.length };
      // a single position: that of the first token of each segment
      return graph.node("RotaryEmbedding", [value, integers(0), cosines, sines], { domain: "com.microsoft", attributes });
    },
    recent(value, channels, count) {
      const byText = graph.node("Reshape", [value, integers(batch, length, channels)]);
      const before = (distance: number): string => {
        const kept = graph.node("Slice", [byText, integers(0), integers(length - distance), integers(1)]);
        const moved = graph.node("Pad", [kept, integers(0, distance, 0, 0, 0, 0)]);
        return graph.node("Reshape", [moved, integers(batch * length, channels)]);
      };
      return Array.from({ length: count }, (_, at) => count - 1 - at).map((distance) =>
        distance === 0 ? value : before(Math.min(distance, length)),
      );
    },
    attend: (query, key, value, attention) =>
      softmaxAttention(graph, query, key, value, { batch, length, keyLength: lengthOf(attention.stream), ...attention }),
    deltaRule: (inputs, rule) => deltaRule(graph, inputs, { batch, length, ...rule }),
  };
}
