import { count, flag, integer, nullable } from "../../config/config-keys.ts";
import { commonKeys, dropout } from "../../config/harmless-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { gatedKeys, hiddenAct, readGated, requireFull } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

/** A Llama in which query, key and value may have biases without the output. @see https://github.com/ByteDance-Seed/seed-oss */
export const seedOss = defineArchitecture({
  modelType: "seed_oss",
  keys: {
    ...gatedKeys,
    hidden_act: hiddenAct,
    vocab_size: count(155_136),
    intermediate_size: count(27_648),
    num_hidden_layers: { ...gatedKeys.num_hidden_layers, fallback: 64 },
    num_attention_heads: count(80),
    num_key_value_heads: nullable(count(8), 8),
    head_dim: nullable(count(128), 128),
    max_position_embeddings: count(524_288),
    attention_bias: flag(true),
    attention_out_bias: flag(false),
    mlp_bias: flag(false),
    pad_token_id: { ...commonKeys.pad_token_id, fallback: 1 },
    // not read by the forward pass
    pretraining_tp: integer(1),
    attention_dropout: dropout,
    residual_dropout: { ...dropout, fallback: 0.1 },
  },
  layout(config) {
    const { hidden_act: activation, attention_bias: qkv, attention_out_bias: output, mlp_bias: mlp } = config.values;
    requireFull(config);
    return gatedDecoder({ ...readGated(config, { activation }), bias: { qkv, output, mlp } });
  },
});
