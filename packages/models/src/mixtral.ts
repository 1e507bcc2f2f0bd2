import type { Architecture } from "./architecture.ts";
import { readGated } from "./gated-config.ts";
import { gatedDecoder } from "./gated-decoder.ts";

/** Mistral with experts in place of the MLP: each token goes through a few of them. @see arXiv:2401.04088 */
export const mixtral: Architecture = {
  modelType: "mixtral",
  layout(config) {
    const decoder = readGated(config, { rope: { theta: 1_000_000 } });
    const window = config.optionalCount("sliding_window");
    const [count, used] = [config.count("num_local_experts"), config.count("num_experts_per_tok")];
    if (used > count) config.broken("num_experts_per_tok", `at most num_local_experts ${count}`);
    const experts = {
      count,
      used,
      inner: decoder.inner,
      normalised: true,
      router: "block_sparse_moe.gate",
      names: { prefix: "block_sparse_moe", gate: "w1", up: "w3", down: "w2" },
    };
    return gatedDecoder({ ...decoder, experts, kinds: decoder.kinds.map((kind) => ({ ...kind, window })) });
  },
};
