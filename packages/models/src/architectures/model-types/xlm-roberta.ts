import { at } from "@mbs/contracts";
import { integerTensor } from "@mbs/onnx";
import { blockCount, choice, count, flag, integer, nullable, only, positive } from "../../config/config-keys.ts";
import type { ValuesOf } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import { dropout, initializer } from "../../config/harmless-keys.ts";
import { activationKey, activations } from "../../graph/activations.ts";
import { layerNorm } from "../../graph/norms.ts";
import type { EmbedGraph } from "../../graph/sequence-graph.ts";
import { defineArchitecture } from "../architecture.ts";
import { blockLinear, describeBlocks } from "../families/decoder-blocks.ts";
import { describeEncoder, encoderBlock } from "../families/encoder-block.ts";
import type { EncoderBlock } from "../families/encoder-block.ts";
import type { ExpectedTensor } from "../layout.ts";

const keys = {
  vocab_size: count(30_522),
  hidden_size: count(768),
  num_hidden_layers: blockCount(12),
  num_attention_heads: count(12),
  intermediate_size: count(3072),
  hidden_act: activationKey("gelu"),
  max_position_embeddings: count(512),
  type_vocab_size: count(2),
  layer_norm_eps: positive(1e-12),
  /** Positions begin behind it. */
  pad_token_id: integer(1),
  is_decoder: only(false),
  add_cross_attention: only(false),
  /** Of older configurations, which had others too. */
  position_embedding_type: choice(["absolute"], "absolute"),
  // not read by the forward pass
  output_past: flag(true),
  tie_word_embeddings: flag(true),
  hidden_dropout_prob: dropout,
  attention_probs_dropout_prob: dropout,
  initializer_range: initializer,
  classifier_dropout: nullable(dropout),
} as const;

type XlmRobertaConfig = Config<ValuesOf<typeof keys>>;

const linear = (role: string, name: string, rows: number, columns: number) => blockLinear(role, name, rows, columns, true);

function readBlock(config: XlmRobertaConfig): EncoderBlock {
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

/** @see arXiv:1911.02116 */
export const xlmRoberta = defineArchitecture({
  modelType: "xlm-roberta",
  keys,
  layout(config) {
    const { hidden_size: hidden, vocab_size: vocabulary, pad_token_id: pad, ...values } = config.values;
    const { max_position_embeddings: positions, type_vocab_size: types } = values;
    if (pad < 0 || pad >= vocabulary) config.broken("pad_token_id", `a token below vocab_size ${vocabulary}`);
    // a text has one token or more, between its ends
    const limit = positions - pad - 3;
    if (limit < 1) config.broken("max_position_embeddings", `at least ${pad + 4}, as positions begin behind pad_token_id ${pad}`);
    const block = readBlock(config);
    const { unread, tensors, ...blocks } = describeBlocks("encoder.layer.", values.num_hidden_layers, describeEncoder(block));
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
      const shifted = graph.node("Add", [embed.positions(), constant(pad + 1)]);
      const position = gather(embed.weight("positions.weight", [positions, hidden]), shifted);
      return graph.node("Add", [graph.node("Add", [rows, type]), position]);
    };
    return {
      ...blocks,
      hiddenSize: hidden,
      vocabularySize: vocabulary,
      contextLength: limit,
      positionLimit: limit,
      encoder: { padding: pad },
      tensors: [
        { name: embedding, shape: [vocabulary, hidden], required: true },
        ...embedTables.map(([, name], index) => ({ name, shape: at(shapes, index), required: true })),
        ...tensors,
        // of a model of pairs of sentences: embeddings of texts are made without it
        ...pooler,
      ],
      unread: [...unread, "embeddings.position_ids"],
      prefixes: ["roberta."],
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
  },
});
