import { at } from "@mbs/contracts";
import { integerTensor } from "@mbs/onnx";
import { anything, blockCount, choice, count, flag, integer, nullable, only, positive } from "../../config/config-keys.ts";
import type { ValuesOf } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import { dropout, initializer } from "../../config/harmless-keys.ts";
import { activationKey, activations } from "../../graph/activations.ts";
import { layerNorm } from "../../graph/norms.ts";
import type { EmbedGraph } from "../../graph/sequence-graph.ts";
import type { ExpectedTensor, Layout } from "../layout.ts";
import { blockLinear, describeBlocks } from "./decoder-blocks.ts";
import { describeEncoder, encoderBlock } from "./encoder-block.ts";
import type { EncoderBlock } from "./encoder-block.ts";

/** Keys that all types of the BERT family have, with the defaults that their classes share. */
export const encoderKeys = {
  vocab_size: count(30_522),
  hidden_size: count(768),
  num_hidden_layers: blockCount(12),
  num_attention_heads: count(12),
  intermediate_size: count(3072),
  hidden_act: activationKey("gelu"),
  max_position_embeddings: count(512),
  type_vocab_size: count(2),
  layer_norm_eps: positive(1e-12),
  is_decoder: only(false),
  add_cross_attention: only(false),
  /** Of older configurations, which had others too. */
  position_embedding_type: choice(["absolute"], "absolute"),
  // not read by the forward pass: every token sees all others, whatever this says
  is_causal: anything,
  output_past: flag(true),
  tie_word_embeddings: flag(true),
  hidden_dropout_prob: { ...dropout, fallback: 0.1 },
  attention_probs_dropout_prob: { ...dropout, fallback: 0.1 },
  initializer_range: initializer,
  classifier_dropout: nullable(dropout),
  // only the memory that the MLP takes; the other classes do not look at it
  chunk_size_feed_forward: integer(0),
} as const;

type EncoderConfig = Config<ValuesOf<typeof encoderKeys>>;

/** What differs between the model types of the family. */
export interface EncoderVariant {
  /** What stands before names where a model was saved with a head: "roberta." */
  readonly prefix: string;
  /** The token from whose id positions are counted, beginning behind it; absent where they begin at 0. */
  readonly padding?: number;
}

const linear = (role: string, name: string, rows: number, columns: number) => blockLinear(role, name, rows, columns, true);

function readBlock(config: EncoderConfig): EncoderBlock {
  const { hidden_size: hidden, num_attention_heads: heads, intermediate_size: inner, ...values } = config.values;
  if (hidden % heads !== 0) config.broken("num_attention_heads", `a divisor of hidden_size ${hidden}`);
  return {
    heads,
    norm: { size: hidden, epsilon: values.layer_norm_eps },
    activation: activations[values.hidden_act],
    qkv: ["query", "key", "value"].map((part) => linear(part, `attention.self.${part}`, hidden, hidden)),
    output: linear("output", "attention.output.dense", hidden, hidden),
    up: linear("up", "intermediate.dense", inner, hidden),
    down: linear("down", "output.dense", hidden, inner),
    normNames: ["attention.output.LayerNorm", "output.LayerNorm"],
  };
}

/** Tensors of the embedding beside that of the tokens, by role. */
const embedTables = [
  ["positions.weight", "embeddings.position_embeddings.weight"],
  ["types.weight", "embeddings.token_type_embeddings.weight"],
  ["embed-norm.weight", "embeddings.LayerNorm.weight"],
  ["embed-norm.bias", "embeddings.LayerNorm.bias"],
] as const;

/** The layout of a model of the BERT family: embedding with positions and types, a norm, blocks. */
export function encoderModel(config: EncoderConfig, { prefix, padding }: EncoderVariant): Layout {
  const { hidden_size: hidden, vocab_size: vocabulary, ...values } = config.values;
  const { max_position_embeddings: positions, type_vocab_size: types } = values;
  const firstPosition = padding === undefined ? 0 : padding + 1;
  // a text has one token or more, between its ends
  const limit = positions - firstPosition - 2;
  if (limit < 1)
    config.broken("max_position_embeddings", `at least ${firstPosition + 3}, as positions begin at ${firstPosition}`);
  const block = readBlock(config);
  const description = describeEncoder(block);
  const { unread, tensors, ...blocks } = describeBlocks(
    "encoder.layer.",
    Array.from({ length: values.num_hidden_layers }, () => description),
  );
  const shapes: readonly (readonly number[])[] = [[positions, hidden], [types, hidden], [hidden], [hidden]];
  const pooler: ExpectedTensor[] = [
    { name: "pooler.dense.weight", shape: [hidden, hidden], required: false },
    { name: "pooler.dense.bias", shape: [hidden], required: false },
  ];
  const embedding = "embeddings.word_embeddings.weight";
  const addTables = (embed: EmbedGraph, rows: string): string => {
    const { graph } = embed;
    const constant = (value: number): string => graph.constant(integerTensor([value], []));
    const gather = (table: string, index: string): string => graph.node("Gather", [table, index]);
    // of the two types of tokens, that of a text that stands by itself
    const type = gather(embed.weight("types.weight", [types, hidden]), constant(0));
    const shifted = graph.node("Add", [embed.positions(), constant(firstPosition)]);
    const position = gather(embed.weight("positions.weight", [positions, hidden]), shifted);
    return graph.node("Add", [graph.node("Add", [rows, type]), position]);
  };
  return {
    ...blocks,
    hiddenSize: hidden,
    vocabularySize: vocabulary,
    contextLength: limit,
    positionLimit: limit,
    encoder: padding === undefined ? {} : { padding },
    tensors: [
      { name: embedding, shape: [vocabulary, hidden], required: true },
      ...embedTables.map(([, name], index) => ({ name, shape: at(shapes, index), required: true })),
      ...tensors,
      // of a model of pairs of sentences: embeddings of texts are made without it
      ...pooler,
    ],
    unread: [...unread, "embeddings.position_ids"],
    prefixes: [prefix],
    embedding,
    head: embedding,
    bases: {
      stream: { reason: "its norms stand behind what is added to the states, so the states have a basis of their own" },
      values: { reason: "it is an encoder" },
    },
    embedRoles: new Map(embedTables),
    headRoles: new Map(),
    blockKind: () => "",
    buildEmbed: (embed, rows) => layerNorm(embed, addTables(embed, rows), "embed-norm", block.norm),
    buildBlock: (sequence, states) => encoderBlock(sequence, states, block),
    buildHeadInput: (_, states) => states,
  };
}
