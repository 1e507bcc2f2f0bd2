import { blockCount, count, expertCount, flag, number } from "../../config/config-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { qwen35Keys, qwen35Layout, readQwen35 } from "./qwen3-5.ts";

/** The language model of Qwen 3.5 and 3.6 with experts in every block, and one that all tokens share. */
export const qwen35Moe = defineArchitecture({
  modelType: "qwen3_5_moe_text",
  keys: {
    ...qwen35Keys,
    hidden_size: count(2048),
    num_hidden_layers: blockCount(40),
    num_key_value_heads: count(2),
    num_experts: expertCount(256),
    num_experts_per_tok: count(8),
    moe_intermediate_size: count(512),
    shared_expert_intermediate_size: count(512),
    // of no layer: the class has none
    intermediate_size: { fallback: 0, read: () => 0 },
    // not read by the forward pass
    output_router_logits: flag(false),
    router_aux_loss_coef: number(0.001),
  },
  layout(config) {
    const { num_experts: experts, num_experts_per_tok: used, moe_intermediate_size: inner, ...values } = config.values;
    if (used > experts) config.broken("num_experts_per_tok", `at most num_experts ${experts}`);
    return qwen35Layout({
      ...readQwen35(config),
      experts: {
        count: experts,
        used,
        inner,
        normalised: true,
        shared: values.shared_expert_intermediate_size,
        router: "mlp.gate",
        names: { prefix: "mlp.", gate: "gate_proj", up: "up_proj", down: "down_proj" },
      },
    });
  },
});
