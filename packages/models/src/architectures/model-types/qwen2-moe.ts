import { blockCount, count, expertCount, flag, nullable, number, only } from "../../config/config-keys.ts";
import type { ValuesOf } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import { defineArchitecture } from "../architecture.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";
import type { Experts } from "../families/gated-experts.ts";
import { qwenKeys, readQwen } from "./qwen2.ts";

/** Keys that Qwen 2 and 3 with experts have in common, with the defaults of Qwen 2. */
export const qwenExpertKeys = {
  ...qwenKeys,
  hidden_size: count(2048),
  // blocks with a plain MLP between those with experts, which no published model has
  decoder_sparse_step: only(1),
  mlp_only_layers: nullable(only([])),
  num_experts: expertCount(60),
  num_experts_per_tok: count(4),
  moe_intermediate_size: count(1408),
  norm_topk_prob: flag(false),
  output_router_logits: flag(false),
  router_aux_loss_coef: number(0.001),
} as const;

/** The experts of a block, all of them routed. */
export function readQwenExperts(config: Config<ValuesOf<typeof qwenExpertKeys>>): Experts {
  const {
    num_experts: count,
    num_experts_per_tok: used,
    moe_intermediate_size: inner,
    norm_topk_prob: normalised,
  } = config.values;
  if (used > count) config.broken("num_experts_per_tok", `at most num_experts ${count}`);
  return {
    count,
    used,
    inner,
    normalised,
    router: "mlp.gate",
    names: { prefix: "mlp.", gate: "gate_proj", up: "up_proj", down: "down_proj" },
  };
}

/** Blocks that see a window where the configuration does not name them. */
const slides = (index: number, dense: number): boolean => index % 2 === 0 && index < dense;

/** Qwen 1.5 and 2 with experts in every block, one of them shared by all tokens. @see arXiv:2407.10671 §2.2.2 */
export const qwen2Moe = defineArchitecture({
  modelType: "qwen2_moe",
  keys: {
    ...qwenExpertKeys,
    intermediate_size: count(5632),
    num_hidden_layers: blockCount(24),
    num_attention_heads: count(16),
    num_key_value_heads: nullable(count(16), 16),
    shared_expert_intermediate_size: count(5632),
    qkv_bias: flag(true),
  },
  layout(config) {
    const { values } = config;
    if (values.use_sliding_window && values.sliding_window === null)
      config.broken("sliding_window", "a whole number, at least 1");
    const experts = { ...readQwenExperts(config), shared: values.shared_expert_intermediate_size };
    const bias = { qkv: values.qkv_bias, output: false, mlp: false };
    return gatedDecoder({ ...readQwen(config, { activation: values.hidden_act, slides }), experts, bias });
  },
});
