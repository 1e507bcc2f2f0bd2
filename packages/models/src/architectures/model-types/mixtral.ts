import { count, expertCount, flag, nullable, number, positive } from "../../config/config-keys.ts";
import { dropout } from "../../config/harmless-keys.ts";
import { readRotary } from "../../config/rope-scaling.ts";
import { ropeTypes } from "../../config/rope-types.ts";
import { defineArchitecture } from "../architecture.ts";
import { gatedKeys, hiddenAct, outerRope, readGated, requireFull } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

/** Mistral with experts in place of the MLP: each token goes through a few of them. @see arXiv:2401.04088 */
export const mixtral = defineArchitecture({
  modelType: "mixtral",
  keys: {
    ...gatedKeys,
    hidden_act: hiddenAct,
    attention_dropout: dropout,
    intermediate_size: count(14_336),
    num_key_value_heads: nullable(count(8), 8),
    max_position_embeddings: count(131_072),
    rms_norm_eps: positive(1e-5),
    rope_theta: nullable(positive(1_000_000), 1_000_000),
    num_local_experts: expertCount(8),
    num_experts_per_tok: count(2),
    output_router_logits: flag(false),
    router_aux_loss_coef: number(0.001),
    router_jitter_noise: number(0),
  },
  aliases: { num_experts: "num_local_experts" },
  layout(config) {
    requireFull(config);
    const { hidden_act: activation, sliding_window: window, num_local_experts: count, num_experts_per_tok: used } = config.values;
    // without a size of heads, the class of transformers fails on the other types
    const types =
      config.values.head_dim === null ? ({ default: "default", linear: "linear", llama3: "llama3" } as const) : ropeTypes;
    const rotary = (headSize: number) => readRotary(config, { ...outerRope(config), types, headSize });
    const decoder = readGated(config, { activation, rotary });
    if (used > count) config.broken("num_experts_per_tok", `at most num_local_experts ${count}`);
    const experts = {
      count,
      used,
      inner: decoder.inner,
      normalised: true,
      router: "block_sparse_moe.gate",
      names: { prefix: "block_sparse_moe.", gate: "w1", up: "w3", down: "w2" },
    };
    const kinds = decoder.kinds.map((kind) => ({ ...kind, window: window ?? undefined }));
    return gatedDecoder({ ...decoder, experts, kinds });
  },
});
