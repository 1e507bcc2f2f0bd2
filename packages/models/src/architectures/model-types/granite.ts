import { derivedCount, flag, positive } from "../../config/config-keys.ts";
import { dropout } from "../../config/harmless-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { gatedKeys, hiddenAct, readGated, requireFull } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

/** Granite 3, dense: a Llama with four multipliers. */
export const granite = defineArchitecture({
  modelType: "granite",
  keys: {
    ...gatedKeys,
    hidden_act: hiddenAct,
    head_dim: derivedCount,
    attention_dropout: dropout,
    attention_bias: flag(false),
    mlp_bias: flag(false),
    embedding_multiplier: positive(1),
    attention_multiplier: positive(1),
    residual_multiplier: positive(1),
    logits_scaling: positive(1),
  },
  layout(config) {
    const { values } = config;
    requireFull(config);
    return gatedDecoder({
      ...readGated(config, { activation: values.hidden_act }),
      bias: { qkv: values.attention_bias, output: values.attention_bias, mlp: values.mlp_bias },
      scale: values.attention_multiplier,
      embeddingScale: values.embedding_multiplier,
      residualScale: values.residual_multiplier,
      logitScale: 1 / values.logits_scaling,
    });
  },
});
