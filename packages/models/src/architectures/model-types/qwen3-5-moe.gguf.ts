import type { GgufForm } from "../../gguf/form/gguf-form.ts";
import { side } from "../../gguf/form/metadata-fields.ts";
import { qwenExperts, qwenExpertSizes, sharedExpert, sharedExpertViews } from "./qwen2-moe.gguf.ts";
import { qwen35Fields, qwen35Tensors, qwen35Views } from "./qwen3-5.gguf.ts";

export const qwen35Moe: GgufForm = {
  className: "Qwen3_5MoeForCausalLM",
  prefix: "model.",
  tensors: qwen35Tensors([...qwenExperts, ...sharedExpert]),
  views: (config) => ({ ...qwen35Views(config), ...sharedExpertViews() }),
  fields: [
    ...qwen35Fields({}),
    ...qwenExpertSizes,
    side("shared_expert_intermediate_size", "blk.0.ffn_gate_shexp.weight", 0, "expert_shared_feed_forward_length"),
  ],
};
