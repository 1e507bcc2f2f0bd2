import { anything, blockCount, count, expertCount, flag, nullable, number, positive, text } from "../../config/config-keys.ts";
import { dropout } from "../../config/harmless-keys.ts";
import { rotaryOf, sharedSection } from "../../config/rope-scaling.ts";
import type { JsonObject } from "../../folder/json-file.ts";
import { defineArchitecture } from "../architecture.ts";
import { blockKinds, gatedKeys, outerRope, readGated, readSliding } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

/** `rope_parameters` of a configuration without any. */
export const usualRope: JsonObject = {
  rope_type: "yarn",
  factor: 32,
  beta_fast: 32,
  beta_slow: 1,
  truncate: false,
  original_max_position_embeddings: 4096,
};

/**
 * OpenAI's gpt-oss: experts with biases and clamped gates, a learnt score in every softmax, a window in every other block.
 *
 * @see arXiv:2508.10925 §2
 */
export const gptOss = defineArchitecture({
  modelType: "gpt_oss",
  keys: {
    ...gatedKeys,
    vocab_size: count(201_088),
    hidden_size: count(2880),
    intermediate_size: count(2880),
    num_hidden_layers: blockCount(36),
    num_attention_heads: count(64),
    num_key_value_heads: count(8),
    head_dim: count(64),
    // asked for even where no block slides
    sliding_window: count(128),
    max_position_embeddings: count(131_072),
    rms_norm_eps: positive(1e-5),
    rope_theta: nullable(positive(150_000), 150_000),
    attention_bias: flag(true),
    num_local_experts: expertCount(128),
    num_experts_per_tok: count(4),
    swiglu_alpha: number(1.702),
    swiglu_limit: positive(7),
    // not read by the forward pass
    attention_dropout: dropout,
    hidden_act: text("silu"),
    output_router_logits: flag(false),
    router_aux_loss_coef: number(0.001),
    initial_context_length: anything,
    experts_per_token: anything,
  },
  aliases: { num_experts: "num_local_experts" },
  layout(config) {
    const { values } = config;
    const { num_local_experts: experts, num_experts_per_tok: used, attention_bias: attention } = values;
    if (used > experts) config.broken("num_experts_per_tok", `at most num_local_experts ${experts}`);
    const section = sharedSection(config, usualRope);
    const decoder = readGated(config, {
      activation: "silu",
      rotary: (headSize) => rotaryOf(section, config, { ...outerRope(config), headSize }),
    });
    const { rotary, inner } = decoder;
    return gatedDecoder({
      ...decoder,
      bias: { qkv: attention, output: attention, mlp: false },
      kinds: blockKinds(
        readSliding(config, (index) => index % 2 === 0),
        { rotary, window: values.sliding_window },
        { rotary, window: undefined },
      ),
      sinks: true,
      experts: {
        count: experts,
        used,
        inner,
        // the softmax over the chosen ones alone is that over all, scaled to add up to 1
        normalised: true,
        router: "mlp.router",
        names: { prefix: "mlp.", gate: "gate_proj", up: "up_proj", down: "down_proj" },
        biased: true,
        clamped: { alpha: values.swiglu_alpha, limit: values.swiglu_limit },
        whole: { woven: true },
      },
    });
  },
});
