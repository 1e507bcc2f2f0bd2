import { blockCount, count, derivedCount, flag, nullable, only, positive } from "../../config/config-keys.ts";
import type { ValuesOf } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import { dropout } from "../../config/harmless-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { gatedKeys, hiddenAct, readGated, requireFull } from "../families/gated-config.ts";
import type { GatedValues, UniformDecoder } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

const { rms_norm_eps: _, ...keysOfFamily } = gatedKeys;

/** Keys that both generations have in common. */
export const cohereKeys = {
  ...keysOfFamily,
  hidden_act: hiddenAct,
  head_dim: derivedCount,
  vocab_size: count(256_000),
  hidden_size: count(8192),
  intermediate_size: count(22_528),
  num_hidden_layers: blockCount(40),
  num_attention_heads: count(64),
  max_position_embeddings: count(8192),
  layer_norm_eps: positive(1e-5),
  logit_scale: positive(0.0625),
  tie_word_embeddings: flag(true),
  attention_bias: flag(false),
  pad_token_id: { ...gatedKeys.pad_token_id, fallback: 0 },
} as const;

/** What both generations have in common: attention and MLP read one layer norm, and rotary pairs are neighbours. */
export function readCohere(config: Config<ValuesOf<typeof cohereKeys>>): UniformDecoder {
  const { values } = config;
  // the family's name of the epsilon, which this class does not have
  const named = {
    ...config,
    values: { ...values, rms_norm_eps: values.layer_norm_eps },
    has: (key: Extract<keyof GatedValues, string>) => key !== "rms_norm_eps" && config.has(key),
  };
  const decoder = readGated(named, { activation: values.hidden_act });
  return {
    ...decoder,
    norm: { ...decoder.norm, centred: true },
    norms: { beforeAttention: "input_layernorm" },
    parallel: true,
    neighbours: true,
    bias: { qkv: values.attention_bias, output: values.attention_bias, mlp: false },
    logitScale: values.logit_scale,
  };
}

/** Command R, Aya 23 and Aya Expanse. @see arXiv:2412.04261 */
export const cohere = defineArchitecture({
  modelType: "cohere",
  keys: {
    ...cohereKeys,
    rope_theta: nullable(positive(500_000), 500_000),
    attention_dropout: nullable(dropout),
    // Command R+ norms each head by weights of its own
    use_qk_norm: nullable(only(false), false),
  },
  layout(config) {
    requireFull(config);
    return gatedDecoder(readCohere(config));
  },
});
