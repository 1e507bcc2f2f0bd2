import type { Architecture } from "./architecture.ts";
import { gatedDecoder } from "./gated-decoder.ts";
import { readQwen } from "./qwen2.ts";

/** @see arXiv:2505.09388 */
export const qwen3: Architecture = {
  modelType: "qwen3",
  layout(config) {
    const attention = config.flag("attention_bias", false);
    return gatedDecoder({
      ...readQwen(config),
      headNorms: true,
      bias: { qkv: attention, output: attention, mlp: false },
    });
  },
};
