import type { Architecture } from "./architecture.ts";
import { readGated } from "./gated-config.ts";
import { gatedDecoder } from "./gated-decoder.ts";

/** Mistral with experts in place of the MLP: each token goes through a few of them. @see arXiv:2401.04088 */
export const mixtral: Architecture = {
  modelType: "mixtral",
  layout(config) {
    const decoder = readGated(config, { rope: { theta: 1_000_000 } });
    const window = config.optionalCount("sliding_window");
    const experts = { count: config.count("num_local_experts"), used: config.count("num_experts_per_tok") };
    if (experts.used > experts.count) config.broken("num_experts_per_tok", `at most num_local_experts ${experts.count}`);
    return gatedDecoder({ ...decoder, experts, kinds: decoder.kinds.map((kind) => ({ ...kind, window })) });
  },
};
