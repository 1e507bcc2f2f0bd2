import { interleaved } from "../../gguf/dense-tensor.ts";
import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { always, count, equalHeads, number, tied, vocabulary } from "../../gguf/form/metadata-fields.ts";
import { within } from "../../gguf/gguf-names.ts";

/** The MLP is four times as wide as the states, which config.json does not say. */
const hidden: MetadataField = {
  read: ({ metadata }) => {
    metadata.find("feed_forward_length");
    return { hidden_size: metadata.count("embedding_length") };
  },
  write: (model) => {
    const size = model.findNumber("n_embed") ?? model.number("hidden_size");
    model.counts({ embedding_length: size, feed_forward_length: 4 * size });
  },
};

/** The model adds no embedding of positions, so that a configuration may leave it out. */
const context: MetadataField = {
  read: ({ metadata }) => ({ seq_length: metadata.count("context_length") }),
  write: (model) => model.counts({ context_length: model.findNumber("seq_length") ?? 2048 }),
};

export const bloom: GgufForm = {
  className: "BloomForCausalLM",
  prefix: "transformer.",
  tensors: new Map([
    ["token_embd", "word_embeddings"],
    ["token_embd_norm", "word_embeddings_layernorm"],
    ...within("blk.{block}.", "h.{block}.", [
      ["attn_norm", "input_layernorm"],
      ["ffn_norm", "post_attention_layernorm"],
      ["attn_qkv", "self_attention.query_key_value"],
      ["attn_output", "self_attention.dense"],
      ["ffn_up", "mlp.dense_h_to_4h"],
      ["ffn_down", "mlp.dense_4h_to_h"],
    ]),
    ["output_norm", "ln_f"],
    ["output", "lm_head"],
  ]),
  // query, key and value are stored one after the other
  views: (config) => ({ "blk.{block}.attn_qkv": interleaved(Number(config["n_head"])) }),
  fields: [
    vocabulary(),
    hidden,
    count("block_count", "n_layer"),
    equalHeads("n_head", true),
    context,
    number("attention.layer_norm_epsilon", "layer_norm_epsilon"),
    always({ apply_residual_connection_post_layernorm: false }, (model) => {
      const key = "apply_residual_connection_post_layernorm";
      if (model.find(key) === true) model.refuse(key, "residuals begin after the norm");
    }),
    tied,
  ],
  firstMetadata: ["context_length", "embedding_length", "feed_forward_length"],
};
