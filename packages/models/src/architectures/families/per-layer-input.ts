import { gatedNorm } from "./gated-norm.ts";
import { scaled } from "../../graph/scaling.ts";
import type { SequenceGraph } from "../../graph/sequence-graph.ts";
import type { ExpectedTensor, TokenInput } from "../layout.ts";
import type { GatedDecoder, GatedLinears, PerLayerInput } from "./gated-block.ts";

/* What a block adds to its states for each token by itself: Gemma's embeddings for every layer. */

const table = "embed_tokens_per_layer.weight";
const projection = "per_layer_model_projection.weight";
const norm = "per_layer_projection_norm.weight";

/** Its tensors outside of the blocks. */
export const perLayerTensors = (
  { vocabulary, hidden, kinds: { length: blocks } }: GatedDecoder,
  { width }: PerLayerInput,
): readonly ExpectedTensor[] => [
  { name: table, shape: [vocabulary, blocks * width], required: true },
  { name: projection, shape: [blocks * width, hidden], required: true },
  { name: norm, shape: [width], required: true },
];

/** What a block is given of each token: a row of the table, and the projected row of the embedding. */
export const perLayerInput = (decoder: GatedDecoder, { width, column }: PerLayerInput): TokenInput => ({
  column,
  width,
  table,
  rowsKey: "vocab_size_per_layer_input",
  projection,
  roles: new Map([["projection-norm.weight", norm]]),
  build(rows, embedded, own) {
    const { graph } = rows;
    const layer = { role: "projection", rows: width, columns: decoder.hidden, bias: false };
    // the scale of the embedding and that of the projection, the root of the width and one over it, leave each other out
    const projected = gatedNorm(rows, rows.linear(embedded, layer), "projection-norm", width, decoder.norm);
    return scaled(graph, graph.node("Add", [projected, scaled(graph, own, Math.sqrt(width))]), Math.SQRT1_2);
  },
});

/** What is added to the states of a block, and what its layers read. */
export function readPerLayer(
  sequence: SequenceGraph,
  states: string,
  { activation, hidden, norm: kind }: GatedDecoder,
  { gate, output }: NonNullable<GatedLinears["perLayer"]>,
): { readonly sites: ReadonlyMap<string, string>; readonly added: string } {
  const gated = activation.apply(sequence, sequence.linear(states, gate));
  const read = sequence.graph.node("Mul", [gated, sequence.tokenInput(output.columns)]);
  return {
    sites: new Map([
      [gate.role, states],
      [output.role, read],
    ]),
    added: gatedNorm(sequence, sequence.linear(read, output), "per-layer-norm", hidden, kind),
  };
}
