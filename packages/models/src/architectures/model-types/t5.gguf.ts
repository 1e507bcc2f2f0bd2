import { renamed } from "../../gguf/dense-tensor.ts";
import type { View } from "../../gguf/dense-tensor.ts";
import { hasTensor } from "../../gguf/form/gguf-form.ts";
import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { always, count, number, redundant, tied, vocabulary } from "../../gguf/form/metadata-fields.ts";
import { within } from "../../gguf/gguf-names.ts";
import type { NamePairs } from "../../gguf/gguf-names.ts";

/** One attention. */
const attention = (gguf: string, huggingFace: string): NamePairs =>
  within(gguf, huggingFace, [
    ["_q", ".q"],
    ["_k", ".k"],
    ["_v", ".v"],
    ["_o", ".o"],
    ["_rel_b", ".relative_attention_bias"],
  ]);

/** The MLP, gated or not: `wi` and `wi_1` never occur together. @param layer its number in the block */
const mlp = (layer: number): NamePairs => [
  ["ffn_norm", `layer.${layer}.layer_norm`],
  ["ffn_gate", `layer.${layer}.DenseReluDense.wi_0`],
  ["ffn_up", `layer.${layer}.DenseReluDense.wi_1`],
  ["ffn_down", `layer.${layer}.DenseReluDense.wo`],
];

/** The one matrix before an ungated MLP's activation, which the table of names has by that of a gated one. */
const ungated: View = (source, name) => renamed(source, name.replace(".wi_1.", ".wi."));

const ungatedViews: Readonly<Record<string, View>> = {
  "enc.blk.{block}.ffn_up": ungated,
  "dec.blk.{block}.ffn_up": ungated,
};

const gatedMlp = "gated-gelu";

const mlpKind: MetadataField = {
  read: (contents) => ({ feed_forward_proj: hasTensor(contents, "enc.blk.0.ffn_gate.weight") ? gatedMlp : "relu" }),
};

const decoderBlocks: MetadataField = {
  read: ({ metadata }) => ({
    num_decoder_layers: metadata.findCount("decoder_block_count") ?? metadata.count("block_count"),
  }),
};

const start: MetadataField = {
  read: ({ metadata }) => ({ decoder_start_token_id: metadata.findCount("decoder_start_token_id") ?? 0 }),
};

/**
 * T5 and mT5, whose files do not tell which of them they are: with a head of its own, T5 computes what mT5 does. Distances
 * are cut at 128, as in llama.cpp and in every published model.
 */
export const t5: GgufForm = {
  className: "T5ForConditionalGeneration",
  prefix: "",
  tensors: new Map([
    ["token_embd", "shared"],
    ...within("enc.blk.{block}.", "encoder.block.{block}.", [
      ["attn_norm", "layer.0.layer_norm"],
      ...attention("attn", "layer.0.SelfAttention"),
      ...mlp(1),
    ]),
    ["enc.output_norm", "encoder.final_layer_norm"],
    ...within("dec.blk.{block}.", "decoder.block.{block}.", [
      ["attn_norm", "layer.0.layer_norm"],
      ...attention("attn", "layer.0.SelfAttention"),
      ["cross_attn_norm", "layer.1.layer_norm"],
      ...attention("cross_attn", "layer.1.EncDecAttention"),
      ...mlp(2),
    ]),
    ["dec.output_norm", "decoder.final_layer_norm"],
    ["output", "lm_head"],
  ]),
  views: (config) => (config["feed_forward_proj"] === gatedMlp ? {} : ungatedViews),
  fields: [
    vocabulary(),
    count("context_length", "n_positions"),
    count("embedding_length", "d_model"),
    count("attention.key_length", "d_kv"),
    count("feed_forward_length", "d_ff"),
    count("block_count", "num_layers"),
    decoderBlocks,
    count("attention.head_count", "num_heads"),
    count("attention.relative_buckets_count", "relative_attention_num_buckets"),
    always({ relative_attention_max_distance: 128 }),
    number("attention.layer_norm_rms_epsilon", "layer_norm_epsilon"),
    mlpKind,
    always({ is_encoder_decoder: true }),
    start,
    tied,
    redundant("attention.value_length", "attention.layer_norm_epsilon", "attention.head_count_kv"),
  ],
};

/** Read as T5. */
export const mt5: GgufForm = { ...t5, isOf: () => false };
