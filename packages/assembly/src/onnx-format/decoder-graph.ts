import { GraphBuilder } from "@mbs/onnx";
import type { ArchitectureModel } from "@mbs/models";
import type { LayerSpool } from "../layer-spool.ts";
import { transposedTensors } from "../site-weights.ts";
import { DecoderBatch } from "./decoder-batch.ts";
import { createDecoderSequence } from "./decoder-sequence.ts";
import { createStoredRows } from "./stored-rows.ts";
import { addTokenTable } from "./token-table.ts";
import type { TableStorage } from "./token-table.ts";
import type { WeightFiles } from "./weight-files.ts";
import { WeightStore } from "./weight-store.ts";
import type { WeightStoreOptions } from "./weight-store.ts";

export interface DecoderOptions extends WeightStoreOptions {
  /** Of embedding and head. */
  readonly embeddings: TableStorage;
}

export interface DecoderGraph {
  /** The serialised model. */
  readonly model: Uint8Array;
  /** Bytes of the tensors that layers changed, as stored. */
  readonly compressedBytes: number;
}

/**
 * Builds the graph of a whole decoder with a cache of keys and values, and reserves room for its weights.
 *
 * Inputs: input_ids [B, T], attention_mask [B, S], position_ids [B, T] where the architecture has positions of its own,
 * past_key_values.N.key and .value [B, kvHeads, S - T, headSize]. Outputs: logits [B, T, vocabulary] and
 * present.N.key and .value [B, kvHeads, S, headSize].
 */
export function buildDecoderGraph(
  model: ArchitectureModel,
  layers: LayerSpool,
  files: WeightFiles,
  { embeddings, ...options }: DecoderOptions,
): DecoderGraph {
  const { layout } = model;
  const graph = new GraphBuilder(model.architecture);
  const batch = new DecoderBatch(graph);
  const store = new WeightStore(graph, files, model, layers, options);
  const transposed = transposedTensors(model);
  const rowsWith = (roles: ReadonlyMap<string, string>) => createStoredRows(graph, store, roles, transposed);
  const addTable = (tensor: string) => addTokenTable({ graph, files, model, tensor }, embeddings, options.accuracyLevel);
  const flat = batch.shape(-1);

  const embedding = addTable(layout.embedding);
  const embedded = embedding.gather(graph.node("Reshape", [batch.tokens, flat]));
  const positions = (): string => graph.node("Reshape", [batch.positions(), flat]);
  let states = layout.buildEmbed({ ...rowsWith(layout.embedRoles), positions }, embedded);
  for (const index of layout.steps.keys()) {
    const sequence = createDecoderSequence(batch, rowsWith(layout.stepRoles(index)), index);
    states = layout.buildStep(sequence, states, index).states;
  }
  const rows = rowsWith(layout.headRoles);
  const head = layout.head === layout.embedding ? embedding : addTable(layout.head);
  const products = head.multiply(layout.buildHeadInput(rows, states));
  const logits = layout.buildLogits?.(rows, products) ?? products;
  const { vocabularySize } = layout;
  const byText = graph.node("Reshape", [logits, batch.shape("B", "T", vocabularySize)]);
  graph.output("logits", byText, "float32", ["batch_size", "sequence_length", vocabularySize]);
  return { model: graph.build(), compressedBytes: store.compressedBytes };
}
