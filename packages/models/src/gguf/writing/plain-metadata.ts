import type { MetadataWriter } from "./gated-metadata.ts";
import { requireActivation } from "./gated-metadata.ts";
import { rotarySection, turnedShare } from "./rotary-metadata.ts";

/* Metadata of BLOOM, GPT-2 and GPT-NeoX: the inverse of plain-models.ts. */

export const bloom: MetadataWriter = (model) => {
  const heads = model.number("n_head");
  const hidden = model.findNumber("n_embed") ?? model.number("hidden_size");
  if (model.find("apply_residual_connection_post_layernorm") === true) {
    model.refuse("apply_residual_connection_post_layernorm", "residuals begin after the norm");
  }
  model.counts({
    context_length: model.findNumber("seq_length") ?? 2048,
    embedding_length: hidden,
    feed_forward_length: 4 * hidden,
    block_count: model.number("n_layer"),
    "attention.head_count": heads,
    "attention.head_count_kv": heads,
  });
  model.numbers({ "attention.layer_norm_epsilon": model.number("layer_norm_epsilon") });
  return { heads, kvHeads: heads };
};

export const gpt2: MetadataWriter = (model) => {
  const heads = model.number("n_head");
  const hidden = model.number("n_embd");
  requireActivation(model, "activation_function", ["gelu_new", "gelu_pytorch_tanh"]);
  model.counts({
    context_length: model.number("n_positions"),
    embedding_length: hidden,
    feed_forward_length: model.findNumber("n_inner") ?? 4 * hidden,
    block_count: model.number("n_layer"),
    "attention.head_count": heads,
  });
  model.numbers({ "attention.layer_norm_epsilon": model.number("layer_norm_epsilon") });
  return { heads, kvHeads: heads };
};

export const gptNeox: MetadataWriter = (model) => {
  const heads = model.number("num_attention_heads");
  const hidden = model.number("hidden_size");
  requireActivation(model, "hidden_act", ["gelu"]);
  const section = rotarySection(model);
  const type = section["rope_type"] ?? section["type"] ?? "default";
  if (type !== "default") model.refuse("rope_parameters", `positions are scaled by ${JSON.stringify(type)}`);
  const base = section["rope_theta"] ?? model.find("rotary_emb_base");
  model.counts({
    context_length: model.number("max_position_embeddings"),
    embedding_length: hidden,
    block_count: model.number("num_hidden_layers"),
    feed_forward_length: model.number("intermediate_size"),
    "rope.dimension_count": Math.floor((hidden / heads) * (turnedShare(model) ?? model.number("rotary_pct"))),
    "attention.head_count": heads,
  });
  model.numbers({
    "attention.layer_norm_epsilon": model.number("layer_norm_eps"),
    "rope.freq_base": typeof base === "number" ? base : 10_000,
  });
  model.put("use_parallel_residual", { type: "bool", value: model.find("use_parallel_residual") !== false });
  return { heads, kvHeads: heads };
};
