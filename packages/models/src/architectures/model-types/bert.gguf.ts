import { oneRow, renamed } from "../../gguf/dense-tensor.ts";
import type { View } from "../../gguf/dense-tensor.ts";
import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { activation, count, equalHeads, number, vocabulary } from "../../gguf/form/metadata-fields.ts";
import { within } from "../../gguf/gguf-names.ts";

const typeCount = "tokenizer.ggml.token_type_count";

const tokenTypes: MetadataField = {
  read: ({ metadata }) => ({ type_vocab_size: metadata.count(typeCount) }),
  write: (model) => model.fields.set(typeCount, { type: "u32", value: model.number("type_vocab_size") }),
};

/** Every token sees all others. llama.cpp takes a file that does not say so for one of a decoder. */
const bidirectional: MetadataField = {
  read: ({ metadata }) =>
    metadata.findFlag("attention.causal") === false ? {} : metadata.refuse("attention.causal", "only false is"),
  write: (model) => model.put("attention.causal", { type: "bool", value: false }),
};

/** The one type of tokens that a model has, which older converters stored as a vector. */
const typeRows: View = (source, name) => (source.shape.length === 1 ? oneRow : renamed)(source, name);

export const bertViews: Readonly<Record<string, View>> = { token_types: typeRows };

/** @param positions how many there are */
export const bertFields = (positions: MetadataField): readonly MetadataField[] => [
  vocabulary(),
  count("embedding_length", "hidden_size"),
  count("block_count", "num_hidden_layers"),
  equalHeads("num_attention_heads"),
  count("feed_forward_length", "intermediate_size"),
  // llama.cpp computes it by its approximation with tanh
  activation("hidden_act", "gelu", "gelu_python"),
  positions,
  tokenTypes,
  number("attention.layer_norm_epsilon", "layer_norm_eps"),
  bidirectional,
];

export const bert: GgufForm = {
  className: "BertModel",
  prefix: "",
  tensors: new Map([
    ["token_embd", "embeddings.word_embeddings"],
    ["token_types", "embeddings.token_type_embeddings"],
    ["position_embd", "embeddings.position_embeddings"],
    ["token_embd_norm", "embeddings.LayerNorm"],
    ...within("blk.{block}.", "encoder.layer.{block}.", [
      ["attn_q", "attention.self.query"],
      ["attn_k", "attention.self.key"],
      ["attn_v", "attention.self.value"],
      ["attn_output", "attention.output.dense"],
      ["attn_output_norm", "attention.output.LayerNorm"],
      ["ffn_up", "intermediate.dense"],
      ["ffn_down", "output.dense"],
      ["layer_output_norm", "output.LayerNorm"],
    ]),
  ]),
  // no embedding of a text depends on it
  leftOut: ["pooler.dense"],
  views: () => bertViews,
  fields: bertFields(count("context_length", "max_position_embeddings")),
  pools: true,
};
