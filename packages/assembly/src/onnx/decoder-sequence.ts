import { InternalError } from "@mbs/contracts";
import { addRotation, scoreFloor, withoutSinks, withSinks } from "@mbs/models";
import type { Attention, RowGraph, SequenceGraph } from "@mbs/models";
import { floatTensor } from "@mbs/onnx";
import { endOfAxis } from "./decoder-batch.ts";
import type { DecoderBatch, Size } from "./decoder-batch.ts";

function refuseRecurrent(block: number): never {
  throw new InternalError(`block ${block} reads tokens one after the other, which an exported decoder does not do`);
}

/**
 * A block: of a decoder, whose keys and values, or the last tokens that a convolution reads, come out, and in again before those of
 * the next tokens; or of an encoder.
 */
export function createDecoderSequence(batch: DecoderBatch, rows: RowGraph, block: number): SequenceGraph {
  const { graph } = batch;
  const times = (a: string, b: string): string => graph.node("Mul", [a, b]);

  /** What came before joined with what comes now, [B, kvHeads, S, headSize]. */
  const withPast = (name: "key" | "value", value: string, { kvHeads, headSize, bidirectional }: Attention): string => {
    if (bidirectional === true) return value;
    const dims = (length: string) => ["batch_size", kvHeads, length, headSize];
    const past = graph.input(`past_key_values.${block}.${name}`, "float32", dims("past_sequence_length"));
    const all = graph.node("Concat", [past, value], { attributes: { axis: 2 } });
    graph.output(`present.${block}.${name}`, all, "float32", dims("total_sequence_length"));
    return all;
  };

  /** Scores with what an architecture adds to them, [B, heads, T, S]. */
  const adjust = (scores: string, { softcap, slopes, window, bidirectional }: Attention): string => {
    let adjusted = scores;
    if (softcap !== undefined) {
      const cap = batch.number(softcap);
      adjusted = times(graph.node("Tanh", [graph.node("Div", [adjusted, cap])]), cap);
    }
    if (slopes !== undefined) {
      const bias = batch.once(`slopes ${slopes.join(" ")}`, () =>
        times(batch.keyPositions(), graph.constant(floatTensor(slopes, [slopes.length, 1, 1]))),
      );
      adjusted = graph.node("Add", [adjusted, bias]);
    }
    adjusted = graph.node("Add", [adjusted, bidirectional === true ? batch.paddingMask() : batch.mask(window)]);
    if (slopes === undefined) return adjusted;
    const largest = graph.node("ReduceMax", [adjusted, batch.integers(3)], { attributes: { keepdims: 1 } });
    return graph.node("Max", [adjusted, graph.node("Add", [largest, batch.number(scoreFloor)])]);
  };

  const joinHeads = (value: string, heads: number, headSize: number): string => {
    const byToken = graph.node("Transpose", [value], { attributes: { perm: [0, 2, 1, 3] } });
    return graph.node("Reshape", [byToken, batch.shape(-1, heads * headSize)]);
  };

  return {
    ...rows,
    otherStates(stream) {
      throw new InternalError(`block ${block} reads stream ${stream}, which an exported decoder does not have`, { stream });
    },
    tokenInput() {
      throw new InternalError(`block ${block} reads each token beside the states, which an exported decoder does not have`);
    },
    recent(value, channels, count) {
      const turned = (own: string): string => graph.node("Transpose", [own], { attributes: { perm: [0, 2, 1] } });
      const dims = ["batch_size", channels, count];
      const past = turned(graph.input(`past_conv.${block}`, "float32", dims));
      // what fills up shorter texts stands before them, where a convolution reads zeros
      const now = times(graph.node("Reshape", [value, batch.shape("B", "T", channels)]), batch.filledNow());
      const all = graph.node("Concat", [past, now], { attributes: { axis: 1 } });
      const slice = (from: number, to: number): string =>
        graph.node("Slice", [all, batch.integers(from), batch.integers(to), batch.integers(1)]);
      graph.output(`present_conv.${block}`, turned(slice(-count, endOfAxis)), "float32", dims);
      return Array.from({ length: count }, (_, at) => count - 1 - at).map((distance) =>
        distance === 0 ? value : graph.node("Reshape", [slice(count - distance, -distance), batch.shape(-1, channels)]),
      );
    },
    splitHeads(value, heads, headSize) {
      const split = graph.node("Reshape", [value, batch.shape("B", "T", heads, headSize)]);
      return graph.node("Transpose", [split], { attributes: { perm: [0, 2, 1, 3] } });
    },
    joinHeads,
    splitFusedHeads(value, heads, parts, headSize) {
      const split = graph.node("Reshape", [value, batch.shape("B", "T", heads, parts, headSize)]);
      const byPart = graph.node("Transpose", [split], { attributes: { perm: [3, 0, 2, 1, 4] } });
      return graph
        .nodes("Split", [byPart], parts, { attributes: { axis: 0, num_outputs: parts } })
        .map((part) => graph.node("Squeeze", [part, batch.integers(0)]));
    },
    rotate(value, rotary) {
      const angles = batch.angles(rotary);
      const { amplitude = 1, growth } = rotary;
      const wave = (kind: "Cos" | "Sin"): string =>
        batch.once(`${kind} ${angles}`, () => {
          const values = graph.node(kind, [angles]);
          const scaled = amplitude === 1 ? values : times(values, batch.number(amplitude));
          return growth === undefined ? scaled : times(scaled, batch.growth(growth));
        });
      const [cosines, sines] = [wave("Cos"), wave("Sin")];
      const part = (from: number, to: number): string =>
        graph.node("Slice", [value, batch.integers(from), batch.integers(to), batch.integers(3)]);
      return addRotation(graph, rotary, { cosines, sines, part });
    },
    attend(query, key, value, attention) {
      const { heads, kvHeads, headSize, scale, sinks } = attention;
      // Heads that share a key are rows of one product.
      const grouped = heads !== kvHeads;
      const reshape = (name: string, ...sizes: readonly Size[]): string =>
        grouped ? graph.node("Reshape", [name, batch.shape(...sizes)]) : name;
      const [keys, values] = [withPast("key", key, attention), withPast("value", value, attention)];
      const queries = reshape(times(query, batch.number(scale)), 0, kvHeads, -1, headSize);
      const products = graph.node("MatMul", [queries, graph.node("Transpose", [keys], { attributes: { perm: [0, 1, 3, 2] } })]);
      const scores = adjust(reshape(products, "B", heads, "T", "S"), attention);
      const all = graph.node("Softmax", [withSinks(graph, scores, sinks)], { attributes: { axis: -1 } });
      const shares = reshape(withoutSinks(graph, all, sinks), "B", kvHeads, -1, "S");
      const context = reshape(graph.node("MatMul", [shares, values]), "B", heads, "T", headSize);
      return joinHeads(context, heads, headSize);
    },
    deltaRule: () => refuseRecurrent(block),
  };
}
