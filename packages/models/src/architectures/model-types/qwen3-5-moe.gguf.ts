import type { GgufForm } from "../../gguf/form/gguf-form.ts";
import { count, side } from "../../gguf/form/metadata-fields.ts";
import { sharedExpert, qwenExperts, sharedExpertViews } from "./qwen2-moe.gguf.ts";
import { qwen35Fields, qwen35Tensors, qwen35Views } from "./qwen3-5.gguf.ts";

export const qwen35Moe: GgufForm = {
  className: "Qwen3_5MoeForCausalLM",
  prefix: "model.",
  tensors: qwen35Tensors([...qwenExperts, ...sharedExpert]),
  views: () => ({ ...qwen35Views(), ...sharedExpertViews() }),
  fields: [
    ...qwen35Fields({}),
    count("expert_count", "num_experts"),
    count("expert_used_count", "num_experts_per_tok"),
    side("moe_intermediate_size", "blk.0.ffn_gate_exps.weight", 1, "expert_feed_forward_length"),
    side("shared_expert_intermediate_size", "blk.0.ffn_gate_shexp.weight", 0, "expert_shared_feed_forward_length"),
  ],
};
