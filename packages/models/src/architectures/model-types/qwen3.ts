import { count, flag } from "../../config/config-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { usualHeadNorms } from "../families/gated-block.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";
import { qwenKeys, readQwen } from "./qwen2.ts";

/** @see arXiv:2505.09388 */
export const qwen3 = defineArchitecture({
  modelType: "qwen3",
  keys: { ...qwenKeys, head_dim: count(128), attention_bias: flag(false) },
  layout(config) {
    const { hidden_act: activation, attention_bias: attention } = config.values;
    return gatedDecoder({
      ...readQwen(config, { activation }),
      headNorms: usualHeadNorms,
      bias: { qkv: attention, output: attention, mlp: false },
    });
  },
});
