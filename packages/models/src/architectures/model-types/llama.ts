import { flag, integer, nullable } from "../../config/config-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { gatedKeys, hiddenAct, readGated, requireFull } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

/** Llama 1 to 3, SmolLM and others of that type. @see arXiv:2407.21783 */
export const llama = defineArchitecture({
  modelType: "llama",
  keys: {
    ...gatedKeys,
    hidden_act: hiddenAct,
    attention_bias: flag(false),
    mlp_bias: flag(false),
    pretraining_tp: nullable(integer(1), 1),
  },
  layout(config) {
    const { hidden_act: activation, attention_bias: attention, mlp_bias: mlp } = config.values;
    requireFull(config);
    return gatedDecoder({ ...readGated(config, { activation }), bias: { qkv: attention, output: attention, mlp } });
  },
});
