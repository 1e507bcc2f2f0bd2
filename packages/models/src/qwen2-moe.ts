import type { Architecture } from "./architecture.ts";
import { gatedDecoder } from "./gated-decoder.ts";
import { readQwen } from "./qwen2.ts";

/** Qwen 1.5 and 2 with experts in every block, one of them shared by all tokens. @see arXiv:2407.10671 §2.2.2 */
export const qwen2Moe: Architecture = {
  modelType: "qwen2_moe",
  layout(config) {
    // blocks with a plain MLP between those with experts, which no published model has
    config.requireOnly("decoder_sparse_step", 1);
    config.requireOnly("mlp_only_layers", []);
    const [count, used] = [config.count("num_experts"), config.count("num_experts_per_tok")];
    if (used > count) config.broken("num_experts_per_tok", `at most num_experts ${count}`);
    const experts = {
      count,
      used,
      inner: config.count("moe_intermediate_size"),
      normalised: config.flag("norm_topk_prob", false),
      shared: config.count("shared_expert_intermediate_size"),
      router: "mlp.gate",
      names: { prefix: "mlp", gate: "gate_proj", up: "up_proj", down: "down_proj" },
    };
    const bias = { qkv: config.flag("qkv_bias", true), output: false, mlp: false };
    const decoder = readQwen(config, (index, dense) => index % 2 === 0 && index < dense);
    return gatedDecoder({ ...decoder, experts, bias });
  },
};
