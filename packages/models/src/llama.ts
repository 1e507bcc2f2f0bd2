import type { Architecture } from "./architecture.ts";
import { readGated } from "./gated-config.ts";
import { gatedDecoder } from "./gated-decoder.ts";

/** Llama 1 to 3, SmolLM and others of that type. @see arXiv:2407.21783 */
export const llama: Architecture = {
  modelType: "llama",
  layout(config) {
    const attention = config.flag("attention_bias", false);
    const bias = { qkv: attention, output: attention, mlp: config.flag("mlp_bias", false) };
    return gatedDecoder({ ...readGated(config), bias });
  },
};
