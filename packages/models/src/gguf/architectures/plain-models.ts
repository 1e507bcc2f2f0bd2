import { hasTensor, haveBiases, sideOf, vocabularyOf } from "./gguf-architecture.ts";
import type { GgufArchitecture, GgufContents } from "./gguf-architecture.ts";
import { tensorForms } from "./tensor-forms.ts";

function requireEqualHeads({ metadata }: GgufContents): number {
  const heads = metadata.count("attention.head_count");
  const kvHeads = metadata.findCount("attention.head_count_kv");
  if (kvHeads !== undefined && kvHeads !== heads)
    metadata.refuse("attention.head_count_kv", `heads of this type have keys of their own: ${heads}`);
  metadata.find("vocab_size");
  return heads;
}

/** Query, key and value are stored one after the other; the model adds no embedding of positions. */
export const bloom: GgufArchitecture = (contents) => {
  const { metadata } = contents;
  const heads = requireEqualHeads(contents);
  metadata.find("feed_forward_length");
  return {
    config: {
      model_type: "bloom",
      architectures: ["BloomForCausalLM"],
      vocab_size: vocabularyOf(contents),
      hidden_size: metadata.count("embedding_length"),
      n_layer: metadata.count("block_count"),
      n_head: heads,
      seq_length: metadata.count("context_length"),
      layer_norm_epsilon: metadata.number("attention.layer_norm_epsilon"),
      apply_residual_connection_post_layernorm: false,
      tie_word_embeddings: !hasTensor(contents, "output.weight"),
    },
    ...tensorForms.bloom({ heads, kvHeads: heads }),
  };
};

/** Files that name no base have 10000, as all published models do. */
export const gptNeox: GgufArchitecture = (contents) => {
  const { metadata } = contents;
  const heads = requireEqualHeads(contents);
  const hidden = metadata.count("embedding_length");
  const headSize = hidden / heads;
  return {
    config: {
      model_type: "gpt_neox",
      architectures: ["GPTNeoXForCausalLM"],
      vocab_size: vocabularyOf(contents),
      hidden_size: hidden,
      intermediate_size: metadata.count("feed_forward_length"),
      num_hidden_layers: metadata.count("block_count"),
      num_attention_heads: heads,
      hidden_act: "gelu",
      max_position_embeddings: metadata.count("context_length"),
      layer_norm_eps: metadata.number("attention.layer_norm_epsilon"),
      use_parallel_residual: metadata.findFlag("use_parallel_residual") ?? true,
      attention_bias: haveBiases(contents, "attn_qkv", "attn_output"),
      rope_parameters: {
        rope_type: "default",
        rope_theta: metadata.findNumber("rope.freq_base") ?? 10_000,
        partial_rotary_factor: (metadata.findCount("rope.dimension_count") ?? headSize) / headSize,
      },
      tie_word_embeddings: !hasTensor(contents, "output.weight"),
    },
    ...tensorForms.gptneox({ heads, kvHeads: heads }),
  };
};

/** The checkpoint has its weights as [in, out], the file as [out, in]. The tensors tell the width of the MLP. */
export const gpt2: GgufArchitecture = (contents) => {
  const { metadata } = contents;
  const heads = requireEqualHeads(contents);
  metadata.find("feed_forward_length");
  return {
    config: {
      model_type: "gpt2",
      architectures: ["GPT2LMHeadModel"],
      vocab_size: vocabularyOf(contents),
      n_positions: metadata.count("context_length"),
      n_embd: metadata.count("embedding_length"),
      n_layer: metadata.count("block_count"),
      n_head: heads,
      n_inner: sideOf(contents, "blk.0.ffn_up.weight", 0),
      activation_function: "gelu_new",
      layer_norm_epsilon: metadata.number("attention.layer_norm_epsilon"),
      tie_word_embeddings: !hasTensor(contents, "output.weight"),
    },
    ...tensorForms.gpt2(),
  };
};
