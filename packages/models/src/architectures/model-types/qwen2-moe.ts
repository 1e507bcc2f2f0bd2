import { blockCount, count, flag, nullable, number, only } from "../../config/config-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";
import { qwenKeys, readQwen } from "./qwen2.ts";

/** Blocks that see a window where the configuration does not name them. */
const slides = (index: number, dense: number): boolean => index % 2 === 0 && index < dense;

/** Qwen 1.5 and 2 with experts in every block, one of them shared by all tokens. @see arXiv:2407.10671 §2.2.2 */
export const qwen2Moe = defineArchitecture({
  modelType: "qwen2_moe",
  keys: {
    ...qwenKeys,
    hidden_size: count(2048),
    intermediate_size: count(5632),
    num_hidden_layers: blockCount(24),
    num_attention_heads: count(16),
    num_key_value_heads: nullable(count(16), 16),
    // blocks with a plain MLP between those with experts, which no published model has
    decoder_sparse_step: only(1),
    mlp_only_layers: nullable(only([])),
    num_experts: count(60),
    num_experts_per_tok: count(4),
    moe_intermediate_size: count(1408),
    shared_expert_intermediate_size: count(5632),
    norm_topk_prob: flag(false),
    qkv_bias: flag(true),
    output_router_logits: flag(false),
    router_aux_loss_coef: number(0.001),
  },
  layout(config) {
    const { values } = config;
    if (values.use_sliding_window && values.sliding_window === null)
      config.broken("sliding_window", "a whole number, at least 1");
    const { num_experts: count, num_experts_per_tok: used } = values;
    if (used > count) config.broken("num_experts_per_tok", `at most num_experts ${count}`);
    const experts = {
      count,
      used,
      inner: values.moe_intermediate_size,
      normalised: values.norm_topk_prob,
      shared: values.shared_expert_intermediate_size,
      router: "mlp.gate",
      names: { prefix: "mlp", gate: "gate_proj", up: "up_proj", down: "down_proj" },
    };
    const bias = { qkv: values.qkv_bias, output: false, mlp: false };
    return gatedDecoder({ ...readQwen(config, { activation: values.hidden_act, slides }), experts, bias });
  },
});
