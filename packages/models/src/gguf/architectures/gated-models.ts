import { oneRow, renamed } from "../dense-tensor.ts";
import { hasTensor, haveBiases, sideOf, vocabularyOf } from "./gguf-architecture.ts";
import type { GgufArchitecture, GgufContents } from "./gguf-architecture.ts";
import { rotaryConfig } from "./rotary-config.ts";
import { tensorForms } from "./tensor-forms.ts";

/** Sizes that all architectures of Llama's family have. */
export function gatedSizes(contents: GgufContents) {
  const { metadata } = contents;
  const hidden = metadata.count("embedding_length");
  const heads = metadata.count("attention.head_count");
  const headSize = metadata.findCount("attention.key_length") ?? hidden / heads;
  const valueSize = metadata.findCount("attention.value_length");
  if (valueSize !== undefined && valueSize !== headSize) {
    metadata.refuse("attention.value_length", `keys have ${headSize} elements, and values must have as many`);
  }
  if (metadata.findFlag("attention.causal") === false) metadata.refuse("attention.causal", "only true is");
  metadata.find("vocab_size");
  return { hidden, heads, headSize, kvHeads: metadata.findCount("attention.head_count_kv") ?? heads };
}

/** What `attention_bias` of config.json is about. */
export const attentionLayers = ["attn_q", "attn_k", "attn_v", "attn_output"] as const;

/** Keys of config.json that all of them have. */
export function gatedConfig(contents: GgufContents): Record<string, unknown> {
  const { metadata } = contents;
  const { hidden, heads, headSize, kvHeads } = gatedSizes(contents);
  const contextLength = metadata.count("context_length");
  return {
    vocab_size: vocabularyOf(contents),
    hidden_size: hidden,
    intermediate_size: metadata.count("feed_forward_length"),
    num_hidden_layers: metadata.count("block_count"),
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    ...(headSize !== hidden / heads && { head_dim: headSize }),
    hidden_act: "silu",
    max_position_embeddings: contextLength,
    rms_norm_eps: metadata.number("attention.layer_norm_rms_epsilon"),
    rope_parameters: rotaryConfig(contents, contextLength),
    tie_word_embeddings: !hasTensor(contents, "output.weight"),
  };
}

/** All elements of a head must turn. */
export function requireWholeRotary(contents: GgufContents): void {
  const { headSize } = gatedSizes(contents);
  const turned = contents.metadata.findCount("rope.dimension_count");
  if (turned !== undefined && turned !== headSize) {
    contents.metadata.refuse("rope.dimension_count", `all ${headSize} elements of a head must turn`);
  }
}

/** Llama; Mistral, whose files say nothing else; Mixtral, which has experts. Queries and keys are stored by rotary pairs. */
export const llama: GgufArchitecture = (contents) => {
  const { metadata } = contents;
  const { heads, kvHeads } = gatedSizes(contents);
  requireWholeRotary(contents);
  const form = tensorForms.llama({ heads, kvHeads });
  const experts = metadata.findCount("expert_count") ?? 0;
  if (experts === 0) {
    metadata.find("expert_used_count");
    return {
      config: {
        model_type: "llama",
        architectures: ["LlamaForCausalLM"],
        ...gatedConfig(contents),
        attention_bias: haveBiases(contents, ...attentionLayers),
        mlp_bias: haveBiases(contents, "ffn_gate", "ffn_up", "ffn_down"),
      },
      ...form,
    };
  }
  return {
    config: {
      model_type: "mixtral",
      architectures: ["MixtralForCausalLM"],
      ...gatedConfig(contents),
      num_local_experts: experts,
      num_experts_per_tok: metadata.count("expert_used_count"),
      sliding_window: null,
    },
    ...form,
  };
};

/** A Llama with four multipliers, whose logits are divided by the last one. As in llama.cpp, 0 stands for none. */
export const granite: GgufArchitecture = (contents) => {
  const { metadata } = contents;
  const { heads, kvHeads, headSize } = gatedSizes(contents);
  requireWholeRotary(contents);
  if (metadata.findFlag("rope.scaling.finetuned") === false) {
    metadata.refuse("rope.scaling.finetuned", "positions must be rotary, and here there are none");
  }
  return {
    config: {
      model_type: "granite",
      architectures: ["GraniteForCausalLM"],
      ...gatedConfig(contents),
      attention_bias: haveBiases(contents, ...attentionLayers),
      mlp_bias: haveBiases(contents, "ffn_gate", "ffn_up", "ffn_down"),
      embedding_multiplier: metadata.findNumber("embedding_scale") || 1,
      attention_multiplier: metadata.findNumber("attention.scale") || 1 / Math.sqrt(headSize),
      residual_multiplier: metadata.findNumber("residual_scale") || 1,
      logits_scaling: metadata.number("logit_scale"),
    },
    ...tensorForms.granite({ heads, kvHeads }),
  };
};

export const qwen2: GgufArchitecture = (contents) => {
  requireWholeRotary(contents);
  return {
    config: {
      model_type: "qwen2",
      architectures: ["Qwen2ForCausalLM"],
      ...gatedConfig(contents),
      use_sliding_window: false,
      sliding_window: null,
    },
    ...tensorForms.qwen2(),
  };
};

export const qwen3: GgufArchitecture = (contents) => {
  requireWholeRotary(contents);
  return {
    config: {
      model_type: "qwen3",
      architectures: ["Qwen3ForCausalLM"],
      ...gatedConfig(contents),
      head_dim: gatedSizes(contents).headSize,
      attention_bias: haveBiases(contents, ...attentionLayers),
      use_sliding_window: false,
      sliding_window: null,
    },
    ...tensorForms.qwen3(),
  };
};

export const qwen2Moe: GgufArchitecture = (contents) => {
  const { metadata } = contents;
  requireWholeRotary(contents);
  // the tensors tell the widths, which older files leave out
  for (const key of ["expert_feed_forward_length", "expert_shared_feed_forward_length"]) metadata.find(key);
  return {
    config: {
      model_type: "qwen2_moe",
      architectures: ["Qwen2MoeForCausalLM"],
      ...gatedConfig(contents),
      num_experts: metadata.count("expert_count"),
      num_experts_per_tok: metadata.count("expert_used_count"),
      moe_intermediate_size: sideOf(contents, "blk.0.ffn_gate_exps.weight", 1),
      shared_expert_intermediate_size: sideOf(contents, "blk.0.ffn_gate_shexp.weight", 0),
      qkv_bias: haveBiases(contents, "attn_q", "attn_k", "attn_v"),
      norm_topk_prob: false,
      decoder_sparse_step: 1,
      mlp_only_layers: [],
      use_sliding_window: false,
      sliding_window: null,
    },
    ...tensorForms.qwen2moe(),
    views: { "blk.{block}.ffn_gate_inp_shexp": (source, name) => (source.shape.length === 1 ? oneRow : renamed)(source, name) },
  };
};

export const phi3: GgufArchitecture = (contents) => {
  const { metadata } = contents;
  const { headSize, hidden, heads } = gatedSizes(contents);
  const config = gatedConfig(contents);
  const turned = metadata.findCount("rope.dimension_count") ?? headSize;
  const window = metadata.findCount("attention.sliding_window") ?? 0;
  if (headSize !== hidden / heads) metadata.refuse("attention.key_length", `heads of this type have ${hidden / heads} elements`);
  const trained = metadata.findCount("rope.scaling.original_context_length");
  return {
    config: {
      model_type: "phi3",
      architectures: ["Phi3ForCausalLM"],
      ...config,
      rope_parameters: {
        ...(config["rope_parameters"] as object),
        ...(turned !== headSize && { partial_rotary_factor: turned / headSize }),
      },
      ...(trained !== undefined && { original_max_position_embeddings: trained }),
      sliding_window: window === 0 ? null : window,
    },
    ...tensorForms.phi3(),
  };
};
