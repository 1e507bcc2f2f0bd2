import { blockCount, count, expertCount, flag, nullable } from "../../config/config-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { readGated, requireFull } from "../families/gated-config.ts";
import { usualHeadNorms } from "../families/gated-block.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";
import { qwenExpertKeys, readQwenExperts } from "./qwen2-moe.ts";

/** Qwen 3 with experts in every block. @see arXiv:2505.09388 §2 */
export const qwen3Moe = defineArchitecture({
  modelType: "qwen3_moe",
  keys: {
    ...qwenExpertKeys,
    intermediate_size: count(6144),
    num_hidden_layers: blockCount(24),
    num_key_value_heads: count(4),
    num_experts: expertCount(128),
    num_experts_per_tok: count(8),
    moe_intermediate_size: count(768),
    attention_bias: flag(false),
    sliding_window: nullable(count(4096), 4096),
  },
  aliases: { num_local_experts: "num_experts" },
  layout(config) {
    const { hidden_act: activation, attention_bias: attention, use_sliding_window: slides, sliding_window } = config.values;
    requireFull(config);
    const decoder = readGated(config, { activation });
    // all blocks or none, whatever max_window_layers says
    const window = slides ? (sliding_window ?? undefined) : undefined;
    return gatedDecoder({
      ...decoder,
      experts: readQwenExperts(config),
      headNorms: usualHeadNorms,
      bias: { qkv: attention, output: attention, mlp: false },
      kinds: decoder.kinds.map((kind) => ({ ...kind, window })),
    });
  },
});
