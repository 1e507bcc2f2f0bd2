import { InternalError } from "@mbs/contracts";
import { hiddenStream } from "@mbs/models";
import type { ArchitectureModel, LinearLayer, RowGraph } from "@mbs/models";
import { GraphBuilder } from "@mbs/onnx";
import type { ScratchLayers } from "../layers/scratch-layers.ts";
import { transposedTensors } from "../layers/site-weights.ts";
import { DecoderBatch } from "./decoder-batch.ts";
import { createDecoderSequence } from "./decoder-sequence.ts";
import { addTokenTable } from "./weights/token-table.ts";
import type { TableStorage } from "./weights/token-table.ts";
import type { WeightFiles } from "./weights/weight-files.ts";
import { WeightStore } from "./weights/weight-store.ts";
import type { WeightStoreOptions } from "./weights/weight-store.ts";

/**
 * Rows with the weights of a store.
 *
 * @param roles role → tensor
 */
function createStoredRows(
  graph: GraphBuilder,
  store: WeightStore,
  roles: ReadonlyMap<string, string>,
  transposed: ReadonlySet<string>,
): RowGraph {
  const tensorOf = (role: string): string => {
    const tensor = roles.get(role);
    if (tensor === undefined) throw new InternalError(`the architecture names no tensor for ${role}`, { role });
    return tensor;
  };
  return {
    graph,
    weight: (role, shape) => store.vector(tensorOf(role), shape),
    linear(input: string, { role, rows, bias }: LinearLayer): string {
      const tensor = tensorOf(`${role}.weight`);
      const product = store.multiply(input, tensor, transposed.has(tensor));
      return bias ? graph.node("Add", [product, store.vector(tensorOf(`${role}.bias`), [rows])]) : product;
    },
  };
}

interface DecoderOptions extends WeightStoreOptions {
  /** Of embedding and head. */
  readonly embeddings: TableStorage;
}

interface DecoderGraph {
  /** The serialised model. */
  readonly model: Uint8Array;
  /** Bytes of the tensors that layers changed, as stored. */
  readonly compressedBytes: number;
  /** Bytes of embedding and head, by tensor. */
  readonly tables: ReadonlyMap<string, number>;
}

/**
 * Builds the graph of a whole model, a decoder with a cache, and reserves its weights in the weight files.
 *
 * Inputs of a decoder: input_ids [B, T], attention_mask [B, S], position_ids [B, T] where the architecture has positions of its own,
 * past_key_values.N.key and .value [B, kvHeads, S - T, headSize], of a block with a convolution past_conv.N [B, channels, tokens
 * that it sees], zeros before the text. Outputs: logits [B, T, embeddings], present.N.key and .value [B, kvHeads, S, headSize], and
 * present_conv.N, of the shape of past_conv.N. Those of an encoder: input_ids and attention_mask [B, T], and
 * last_hidden_state [B, T, hidden].
 */
export function buildDecoderGraph(
  model: ArchitectureModel,
  layers: ScratchLayers,
  files: WeightFiles,
  { embeddings, ...options }: DecoderOptions,
): DecoderGraph {
  const { layout } = model;
  const graph = new GraphBuilder(model.architecture);
  const batch = new DecoderBatch(graph, model);
  const store = new WeightStore(graph, files, model, layers, options);
  const transposed = transposedTensors(model);
  const rowsWith = (roles: ReadonlyMap<string, string>) => createStoredRows(graph, store, roles, transposed);
  const addTable = (tensor: string) => addTokenTable({ graph, files, model, layers, tensor }, embeddings, options.accuracyLevel);
  const flat = batch.shape(-1);

  const embedding = addTable(layout.embedding);
  const tokens = graph.node("Reshape", [batch.tokens, flat]);
  const embedded = embedding.gather(tokens);
  const positions = (): string => graph.node("Reshape", [batch.positions(), flat]);
  const embed = { ...rowsWith(layout.embedRoles), stream: hiddenStream, positions, tokens: () => tokens };
  let states = layout.buildEmbed(embed, embedded);
  for (const index of layout.blocks.keys()) {
    const sequence = createDecoderSequence(batch, rowsWith(layout.blockRoles(index)), index);
    states = layout.buildBlock(sequence, states, index).states;
  }
  const tables = new Map([[layout.embedding, embedding]]);
  const addOutput = (name: string, rows: string, width: number): void => {
    const byText = graph.node("Reshape", [rows, batch.shape("B", "T", width)]);
    graph.output(name, byText, "float32", ["batch_size", "sequence_length", width]);
  };
  if (model.stacks === "encoder") {
    addOutput("last_hidden_state", states, layout.hiddenSize);
  } else {
    const rows = rowsWith(layout.headRoles);
    const head = layout.head === layout.embedding ? embedding : addTable(layout.head);
    tables.set(layout.head, head);
    const products = head.multiply(layout.buildHeadInput(rows, states));
    addOutput("logits", layout.buildLogits?.(rows, products) ?? products, layout.vocabularySize);
  }
  const changed = [...tables].filter(([tensor]) => layers.summaries.has(tensor));
  return {
    model: graph.build(),
    compressedBytes: changed.reduce((sum, [, { bytes }]) => sum + bytes, store.compressedBytes),
    tables: new Map([...tables].map(([tensor, { bytes }]) => [tensor, bytes])),
  };
}
