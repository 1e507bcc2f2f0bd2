import { InternalError } from "@mbs/contracts";
import { addRotation, scoreFloor, withoutSinks, withSinks } from "@mbs/models";
import type { Attention, Rotary, RowGraph, SequenceGraph } from "@mbs/models";
import { floatTensor } from "@mbs/onnx";
import { endOfAxis } from "./decoder-batch.ts";
import type { DecoderBatch, Size } from "./decoder-batch.ts";

function refuseRecurrent(block: number): never {
  throw new InternalError(`block ${block} reads tokens one after the other, which an exported decoder does not do`);
}

const times = ({ graph }: DecoderBatch, a: string, b: string): string => graph.node("Mul", [a, b]);

/** What came before joined with what comes now, [B, kvHeads, S, headSize]. @param state "BLOCK.key" or "BLOCK.value" */
function withPast({ graph }: DecoderBatch, state: string, value: string, attention: Attention): string {
  const { kvHeads, headSize, bidirectional } = attention;
  if (bidirectional === true) return value;
  const dims = (length: string) => ["batch_size", kvHeads, length, headSize];
  const past = graph.input(`past_key_values.${state}`, "float32", dims("past_sequence_length"));
  const all = graph.node("Concat", [past, value], { attributes: { axis: 2 } });
  graph.output(`present.${state}`, all, "float32", dims("total_sequence_length"));
  return all;
}

/** Scores with what an architecture adds to them, [B, heads, T, S]. */
function adjustScores(batch: DecoderBatch, scores: string, { softcap, slopes, window, bidirectional }: Attention): string {
  const { graph } = batch;
  let adjusted = scores;
  if (softcap !== undefined) {
    const cap = batch.number(softcap);
    adjusted = times(batch, graph.node("Tanh", [graph.node("Div", [adjusted, cap])]), cap);
  }
  if (slopes !== undefined) {
    const bias = batch.once(`slopes ${slopes.join(" ")}`, () =>
      times(batch, batch.keyPositions(), graph.constant(floatTensor(slopes, [slopes.length, 1, 1]))),
    );
    adjusted = graph.node("Add", [adjusted, bias]);
  }
  adjusted = graph.node("Add", [adjusted, bidirectional === true ? batch.paddingMask() : batch.mask(window)]);
  if (slopes === undefined) return adjusted;
  const largest = graph.node("ReduceMax", [adjusted, batch.integers(3)], { attributes: { keepdims: 1 } });
  return graph.node("Max", [adjusted, graph.node("Add", [largest, batch.number(scoreFloor)])]);
}

function joinHeads(batch: DecoderBatch, value: string, heads: number, headSize: number): string {
  const byToken = batch.graph.node("Transpose", [value], { attributes: { perm: [0, 2, 1, 3] } });
  return batch.graph.node("Reshape", [byToken, batch.shape(-1, heads * headSize)]);
}

/** Attention over the tokens of earlier calls and of this one. */
function attend(batch: DecoderBatch, block: number, query: string, key: string, value: string, attention: Attention): string {
  const { graph } = batch;
  const { heads, kvHeads, headSize, scale, sinks } = attention;
  // Heads that share a key are rows of one product.
  const grouped = heads !== kvHeads;
  const reshape = (name: string, ...sizes: readonly Size[]): string =>
    grouped ? graph.node("Reshape", [name, batch.shape(...sizes)]) : name;
  const keys = withPast(batch, `${block}.key`, key, attention);
  const values = withPast(batch, `${block}.value`, value, attention);
  const queries = reshape(times(batch, query, batch.number(scale)), 0, kvHeads, -1, headSize);
  const products = graph.node("MatMul", [queries, graph.node("Transpose", [keys], { attributes: { perm: [0, 1, 3, 2] } })]);
  const scores = adjustScores(batch, reshape(products, "B", heads, "T", "S"), attention);
  const all = graph.node("Softmax", [withSinks(graph, scores, sinks)], { attributes: { axis: -1 } });
  const shares = reshape(withoutSinks(graph, all, sinks), "B", kvHeads, -1, "S");
  const context = reshape(graph.node("MatMul", [shares, values]), "B", heads, "T", headSize);
  return joinHeads(batch, context, heads, headSize);
}

/** The last tokens that a convolution reads, the earliest first; those before this call come in, and the last go out. */
function recentTokens(batch: DecoderBatch, block: number, value: string, channels: number, count: number): string[] {
  const { graph } = batch;
  const turned = (tensor: string): string => graph.node("Transpose", [tensor], { attributes: { perm: [0, 2, 1] } });
  const dims = ["batch_size", channels, count];
  const past = turned(graph.input(`past_conv.${block}`, "float32", dims));
  // what fills up shorter texts stands before them, where a convolution reads zeros
  const now = times(batch, graph.node("Reshape", [value, batch.shape("B", "T", channels)]), batch.filledNow());
  const all = graph.node("Concat", [past, now], { attributes: { axis: 1 } });
  const slice = (from: number, to: number): string =>
    graph.node("Slice", [all, batch.integers(from), batch.integers(to), batch.integers(1)]);
  graph.output(`present_conv.${block}`, turned(slice(-count, endOfAxis)), "float32", dims);
  return Array.from({ length: count }, (_, at) => count - 1 - at).map((distance) =>
    distance === 0 ? value : graph.node("Reshape", [slice(count - distance, -distance), batch.shape(-1, channels)]),
  );
}

function rotate(batch: DecoderBatch, value: string, rotary: Rotary): string {
  const { graph } = batch;
  const angles = batch.angles(rotary);
  const { amplitude = 1, growth } = rotary;
  const wave = (kind: "Cos" | "Sin"): string =>
    batch.once(`${kind} ${angles}`, () => {
      const values = graph.node(kind, [angles]);
      const scaled = amplitude === 1 ? values : times(batch, values, batch.number(amplitude));
      return growth === undefined ? scaled : times(batch, scaled, batch.growth(growth));
    });
  const [cosines, sines] = [wave("Cos"), wave("Sin")];
  const part = (from: number, to: number): string =>
    graph.node("Slice", [value, batch.integers(from), batch.integers(to), batch.integers(3)]);
  return addRotation(graph, rotary, { cosines, sines, part });
}

/**
 * A block: of a decoder, whose keys and values, or the last tokens that a convolution reads, come out, and in again before those of
 * the next tokens; or of an encoder.
 */
export function createDecoderSequence(batch: DecoderBatch, rows: RowGraph, block: number): SequenceGraph {
  const { graph } = batch;
  return {
    ...rows,
    otherStates(stream) {
      throw new InternalError(`block ${block} reads stream ${stream}, which an exported decoder does not have`, { stream });
    },
    tokenInput() {
      throw new InternalError(`block ${block} reads each token beside the states, which an exported decoder does not have`);
    },
    recent: (value, channels, count) => recentTokens(batch, block, value, channels, count),
    splitHeads(value, heads, headSize) {
      const split = graph.node("Reshape", [value, batch.shape("B", "T", heads, headSize)]);
      return graph.node("Transpose", [split], { attributes: { perm: [0, 2, 1, 3] } });
    },
    joinHeads: (value, heads, headSize) => joinHeads(batch, value, heads, headSize),
    splitFusedHeads(value, heads, parts, headSize) {
      const split = graph.node("Reshape", [value, batch.shape("B", "T", heads, parts, headSize)]);
      const byPart = graph.node("Transpose", [split], { attributes: { perm: [3, 0, 2, 1, 4] } });
      return graph
        .nodes("Split", [byPart], parts, { attributes: { axis: 0, num_outputs: parts } })
        .map((part) => graph.node("Squeeze", [part, batch.integers(0)]));
    },
    rotate: (value, rotary) => rotate(batch, value, rotary),
    attend: (query, key, value, attention) => attend(batch, block, query, key, value, attention),
    deltaRule: () => refuseRecurrent(block),
  };
}
