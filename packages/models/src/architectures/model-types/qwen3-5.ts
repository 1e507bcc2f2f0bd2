import { anything, count, flag, only, positive } from "../../config/config-keys.ts";
import type { ValuesOf } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import { dropout } from "../../config/harmless-keys.ts";
import { ropeSection } from "../../config/rope-keys.ts";
import { readRotary } from "../../config/rope-scaling.ts";
import { defineArchitecture } from "../architecture.ts";
import type { Layout } from "../layout.ts";
import { usualHeadNorms } from "../families/gated-block.ts";
import type { BlockKind, GatedDecoder } from "../families/gated-block.ts";
import { gatedKeys, hiddenAct, outerRope, readGated } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";
import type { LinearAttention } from "../families/linear-attention.ts";

/** Keys that Qwen 3.5 has with experts and without, with the defaults of the dense one. */
export const qwen35Keys = {
  ...gatedKeys,
  hidden_act: hiddenAct,
  attention_dropout: dropout,
  vocab_size: count(248_320),
  intermediate_size: count(12_288),
  num_attention_heads: count(16),
  num_key_value_heads: count(4),
  head_dim: count(256),
  max_position_embeddings: count(32_768),
  partial_rotary_factor: positive(0.25),
  attention_bias: flag(false),
  linear_conv_kernel_dim: count(4),
  linear_key_head_dim: count(128),
  linear_value_head_dim: count(128),
  linear_num_key_heads: count(16),
  linear_num_value_heads: count(32),
  // every so many blocks one with attention to tokens, where `layer_types` does not say it
  full_attention_interval: count(4),
  // of configurations on the Hub; transformers has it this way alone
  attn_output_gate: only(true),
  mamba_ssm_dtype: anything,
  mtp_num_hidden_layers: anything,
  mtp_use_dedicated_embeddings: only(false),
} as const;

type Qwen35Config = Config<Omit<ValuesOf<typeof qwen35Keys>, "per_layer_config">>;

export const linearName = "linear_attention";
export const fullName = "full_attention";

/** Whether a block has linear attention, where no list says it: all but every `interval`th. */
export const isLinearBlock = (block: number, interval: number): boolean => (block + 1) % interval !== 0;

/** Whether each block has linear attention. */
function readLinear(config: Qwen35Config): readonly boolean[] {
  const { layer_types: types, num_hidden_layers: blocks, full_attention_interval: interval } = config.values;
  if (types === null) return Array.from({ length: blocks }, (_, index) => isLinearBlock(index, interval));
  if (types.length !== blocks || types.some((type) => type !== linearName && type !== fullName)) {
    config.refuse("layer_types", `it takes ${blocks} entries of ${linearName}, ${fullName}`);
  }
  return types.map((type) => type === linearName);
}

/** What both have in common: three of four blocks have linear attention, the others a gate behind theirs. */
export function readQwen35(config: Qwen35Config): GatedDecoder {
  const { values } = config;
  const { key, part } = ropeSection(config);
  if (part["mrope_section"] === null) config.broken(key, "without mrope_section, or with a list in it");
  const rotary = (headSize: number) => readRotary(config, { ...outerRope(config), headSize, partial: true });
  const decoder = readGated(config, { activation: values.hidden_act, rotary });
  const linear: LinearAttention = {
    keyHeads: values.linear_num_key_heads,
    valueHeads: values.linear_num_value_heads,
    keySize: values.linear_key_head_dim,
    valueSize: values.linear_value_head_dim,
    kernel: values.linear_conv_kernel_dim,
  };
  if (linear.valueHeads % linear.keyHeads !== 0) {
    config.broken("linear_num_value_heads", `a multiple of linear_num_key_heads ${linear.keyHeads}`);
  }
  const full = { rotary: decoder.rotary, window: undefined };
  return {
    ...decoder,
    kinds: readLinear(config).map((isLinear): BlockKind =>
      isLinear ? { name: "linear", ...full, linear } : { name: "full", ...full },
    ),
    norm: { ...decoder.norm, plusOne: true },
    headNorms: usualHeadNorms,
    outputGate: true,
    bias: { qkv: values.attention_bias, output: values.attention_bias, mlp: false },
  };
}

/** The layout: layers that predict further tokens are carried, and names may have the prefix that they have beside a tower. */
export const qwen35Layout = (decoder: GatedDecoder): Layout => ({
  ...gatedDecoder(decoder),
  prefixes: ["model.", "model.language_model."],
  carried: ["mtp"],
});

/** The language model of Qwen 3.5 and 3.6. @see https://qwen.ai/blog?id=qwen3.5; arXiv:2412.06464 for its linear attention */
export const qwen35 = defineArchitecture({
  modelType: "qwen3_5_text",
  keys: qwen35Keys,
  layout: (config) => qwen35Layout(readQwen35(config)),
});
