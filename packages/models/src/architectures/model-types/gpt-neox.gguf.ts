import { interleaved } from "../../gguf/dense-tensor.ts";
import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { activation, count, equalHeads, number, biases, tied, vocabulary } from "../../gguf/form/metadata-fields.ts";
import { rotarySection, turnedShare } from "../../gguf/form/rotary-metadata.ts";
import { within } from "../../gguf/gguf-names.ts";

const parallel: MetadataField = {
  read: ({ metadata }) => ({ use_parallel_residual: metadata.findFlag("use_parallel_residual") ?? true }),
  write: (model) => model.put("use_parallel_residual", { type: "bool", value: model.find("use_parallel_residual") !== false }),
};

/** Files that name no base have 10000, as all published models do. */
const usualBase = 10_000;

const rotary: MetadataField = {
  read: ({ metadata }) => {
    const headSize = metadata.count("embedding_length") / metadata.count("attention.head_count");
    return {
      rope_parameters: {
        rope_type: "default",
        rope_theta: metadata.findNumber("rope.freq_base") ?? usualBase,
        partial_rotary_factor: (metadata.findCount("rope.dimension_count") ?? headSize) / headSize,
      },
    };
  },
  write: (model) => {
    const section = rotarySection(model);
    const type = section["rope_type"] ?? section["type"] ?? "default";
    if (type !== "default") model.refuse("rope_parameters", `positions are scaled by ${JSON.stringify(type)}`);
    const base = section["rope_theta"] ?? model.find("rotary_emb_base");
    const headSize = model.number("hidden_size") / model.number("num_attention_heads");
    model.counts({ "rope.dimension_count": Math.floor(headSize * (turnedShare(model) ?? model.number("rotary_pct"))) });
    model.numbers({ "rope.freq_base": typeof base === "number" ? base : usualBase });
  },
};

export const gptNeox: GgufForm = {
  className: "GPTNeoXForCausalLM",
  prefix: "gpt_neox.",
  tensors: new Map([
    ["token_embd", "embed_in"],
    ...within("blk.{block}.", "layers.{block}.", [
      ["attn_norm", "input_layernorm"],
      ["ffn_norm", "post_attention_layernorm"],
      ["attn_qkv", "attention.query_key_value"],
      ["attn_output", "attention.dense"],
      ["ffn_up", "mlp.dense_h_to_4h"],
      ["ffn_down", "mlp.dense_4h_to_h"],
    ]),
    ["output_norm", "final_layer_norm"],
    ["output", "embed_out"],
  ]),
  // query, key and value are stored one after the other
  views: (config) => ({ "blk.{block}.attn_qkv": interleaved(Number(config["num_attention_heads"])) }),
  fields: [
    vocabulary(),
    count("embedding_length", "hidden_size"),
    count("feed_forward_length", "intermediate_size"),
    count("block_count", "num_hidden_layers"),
    equalHeads("num_attention_heads"),
    activation("hidden_act", "gelu"),
    count("context_length", "max_position_embeddings"),
    number("attention.layer_norm_epsilon", "layer_norm_eps"),
    parallel,
    biases("attention_bias", "attn_qkv", "attn_output"),
    rotary,
    tied,
  ],
  firstMetadata: ["context_length", "embedding_length", "block_count", "feed_forward_length", "rope.dimension_count"],
};
