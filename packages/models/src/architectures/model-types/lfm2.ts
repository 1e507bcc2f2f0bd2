import {
  anything,
  blockCount,
  count,
  derivedCount,
  flag,
  nullable,
  number,
  optional,
  positive,
} from "../../config/config-keys.ts";
import type { Key, ValuesOf } from "../../config/config-keys.ts";
import { commonKeys } from "../../config/harmless-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { gatedKeys, readGated } from "../families/gated-config.ts";
import type { GatedValues } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

const { rms_norm_eps: _, ...keysOfFamily } = gatedKeys;

/** Numbers of blocks; those beyond the last one are of no use. */
const blockNumbers: Key<readonly number[]> = {
  fallback: [],
  read: (value, fault) =>
    Array.isArray(value) && value.every((entry) => Number.isSafeInteger(entry))
      ? (value as number[])
      : fault.broken("a list of whole numbers"),
};

const keys = {
  ...keysOfFamily,
  vocab_size: count(65_536),
  hidden_size: count(2560),
  intermediate_size: count(12_288),
  num_hidden_layers: blockCount(32),
  num_key_value_heads: count(8),
  head_dim: derivedCount,
  max_position_embeddings: count(128_000),
  norm_eps: positive(1e-5),
  tie_word_embeddings: flag(true),
  pad_token_id: { ...commonKeys.pad_token_id, fallback: 0 },
  rope_theta: nullable(positive(1_000_000), 1_000_000),
  conv_bias: flag(false),
  conv_L_cache: count(3),
  block_multiple_of: count(256),
  block_ffn_dim_multiplier: number(1),
  block_auto_adjust_ff_dim: flag(true),
  full_attn_idxs: nullable(blockNumbers),
  // of the first published configurations, in the place of `intermediate_size` and `tie_word_embeddings`
  block_ff_dim: optional(count(0)),
  tie_embedding: optional(flag(true)),
  // of these configurations too: no class reads them
  block_dim: anything,
  block_mlp_init_scale: anything,
  block_norm_eps: anything,
  block_out_init_scale: anything,
  block_use_swiglu: anything,
  block_use_xavier_init: anything,
  conv_dim: anything,
  conv_dim_out: anything,
  conv_use_xavier_init: anything,
  num_heads: anything,
  use_pos_enc: anything,
} as const;

type Lfm2Values = ValuesOf<typeof keys>;

/** Width of the MLP: two thirds of the size that is given, times a factor and up to a multiple, where blocks adjust it. */
export function mlpWidth(
  values: Pick<
    Lfm2Values,
    "intermediate_size" | "block_ff_dim" | "block_auto_adjust_ff_dim" | "block_ffn_dim_multiplier" | "block_multiple_of"
  >,
): number {
  const given = values.block_ff_dim ?? values.intermediate_size;
  if (!values.block_auto_adjust_ff_dim) return given;
  const { block_multiple_of: multiple, block_ffn_dim_multiplier: factor } = values;
  return multiple * Math.ceil(Math.trunc(factor * Math.trunc((2 * given) / 3)) / multiple);
}

/** Whether each block attends; the others have a convolution. @param refuse throws that `layer_types` cannot be read */
export function attendingBlocks(
  {
    layer_types: types,
    full_attn_idxs: attending,
    num_hidden_layers: blocks,
  }: Pick<Lfm2Values, "layer_types" | "full_attn_idxs" | "num_hidden_layers">,
  refuse: (remedy: string) => never,
): readonly boolean[] {
  if (types === null) {
    return Array.from({ length: blocks }, (_, index) => attending === null || attending.includes(index));
  }
  if (types.length !== blocks || types.some((type) => type !== "full_attention" && type !== "conv")) {
    return refuse(`it takes ${blocks} entries of full_attention, conv`);
  }
  return types.map((type) => type === "full_attention");
}

/** LFM2, dense: most blocks have a short convolution in the place of attention. @see arXiv:2511.23404 */
export const lfm2 = defineArchitecture({
  modelType: "lfm2",
  keys,
  layout(config) {
    const { values } = config;
    const inner = mlpWidth(values);
    if (inner < 1) config.broken("block_ffn_dim_multiplier", "so large that the MLP has a channel");
    const attending = attendingBlocks(values, (remedy) => config.refuse("layer_types", remedy));
    // the family's name of the epsilon, which this class does not have
    const named = {
      ...config,
      values: { ...values, rms_norm_eps: values.norm_eps },
      has: (key: Extract<keyof GatedValues, string>) => key !== "rms_norm_eps" && config.has(key),
    };
    const decoder = readGated(named, { activation: "silu" });
    const { rotary } = decoder;
    const convolution = { width: values.conv_L_cache, bias: values.conv_bias };
    return gatedDecoder({
      ...decoder,
      inner,
      tied: values.tie_embedding ?? values.tie_word_embeddings,
      norms: { beforeAttention: "operator_norm", beforeMlp: "ffn_norm" },
      headNorms: { query: "self_attn.q_layernorm", key: "self_attn.k_layernorm", of: "head" },
      names: {
        output: "self_attn.out_proj",
        gate: "feed_forward.w1",
        up: "feed_forward.w3",
        down: "feed_forward.w2",
        lastNorm: "embedding_norm",
      },
      kinds: attending.map((attends) => ({
        name: attends ? "attention" : "convolution",
        rotary,
        window: undefined,
        ...(!attends && { convolution }),
      })),
    });
  },
});
