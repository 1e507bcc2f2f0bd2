import { blockCount, count, flag, integer, nullable, only, positive } from "../../config/config-keys.ts";
import type { ValuesOf } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import { activationKey } from "../../graph/activations.ts";
import { defineArchitecture } from "../architecture.ts";
import { blockKinds, gatedKeys, readGated, readSliding, requireWindow } from "../families/gated-config.ts";
import type { GatedOptions, UniformDecoder } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

/** Keys that Gemma 2 and 3 have in common, with the defaults of Gemma 2. */
export const gemmaKeys = {
  ...gatedKeys,
  vocab_size: count(256_000),
  hidden_size: count(2304),
  intermediate_size: count(9216),
  num_hidden_layers: blockCount(26),
  num_attention_heads: count(8),
  num_key_value_heads: count(4),
  head_dim: count(256),
  hidden_activation: activationKey("gelu_pytorch_tanh"),
  max_position_embeddings: count(8192),
  tie_word_embeddings: flag(true),
  attention_bias: flag(false),
  query_pre_attn_scalar: integer(256),
  sliding_window: nullable(count(4096), 4096),
  final_logit_softcapping: nullable(positive(30), 30),
  attn_logit_softcapping: nullable(positive(50), 50),
  use_bidirectional_attention: nullable(only(false)),
} as const;

export type GemmaValues = ValuesOf<typeof gemmaKeys>;

/** What Gemma 2 and 3 have in common, but for their kinds of blocks. */
export function readGemma(config: Config<GemmaValues>, rotary?: GatedOptions["rotary"]): UniformDecoder {
  const { values } = config;
  const decoder = readGated(config, { activation: values.hidden_activation, ...(rotary && { rotary }) });
  if (values.query_pre_attn_scalar < 1) config.broken("query_pre_attn_scalar", "above 0");
  return {
    ...decoder,
    norm: { ...decoder.norm, plusOne: true },
    bias: { qkv: values.attention_bias, output: values.attention_bias, mlp: false },
    norms: {
      beforeAttention: "input_layernorm",
      afterAttention: "post_attention_layernorm",
      beforeMlp: "pre_feedforward_layernorm",
      afterMlp: "post_feedforward_layernorm",
    },
    scale: 1 / Math.sqrt(values.query_pre_attn_scalar),
    embeddingScale: Math.sqrt(decoder.hidden),
    logitSoftcap: values.final_logit_softcapping ?? undefined,
  };
}

/** @see arXiv:2408.00118 */
export const gemma2 = defineArchitecture({
  modelType: "gemma2",
  keys: gemmaKeys,
  layout(config) {
    const { attn_logit_softcapping: softcap } = config.values;
    const decoder = readGemma(config);
    const { rotary } = decoder;
    const sliding = readSliding(config, (index) => index % 2 === 0);
    const window = requireWindow(config, sliding);
    return gatedDecoder({
      ...decoder,
      softcap: softcap ?? undefined,
      kinds: blockKinds(sliding, { rotary, window }, { rotary, window: undefined }),
    });
  },
});
