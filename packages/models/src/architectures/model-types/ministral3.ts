import { blockCount, count, nullable, positive } from "../../config/config-keys.ts";
import { dropout } from "../../config/harmless-keys.ts";
import { rotaryOf, sharedSection } from "../../config/rope-scaling.ts";
import type { JsonObject } from "../../folder/json-file.ts";
import { defineArchitecture } from "../architecture.ts";
import { gatedKeys, hiddenAct, outerRope, readGated, readSliding } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

/** `rope_parameters` of a configuration without any. */
export const usualRope: JsonObject = {
  rope_type: "yarn",
  rope_theta: 1_000_000,
  factor: 16,
  original_max_position_embeddings: 16_384,
  beta_fast: 32,
  beta_slow: 1,
  mscale_all_dim: 1,
  mscale: 1,
  llama_4_scaling_beta: 0.1,
};

/** A Mistral whose queries grow with their positions, beyond the context that it was trained with. */
export const ministral3 = defineArchitecture({
  modelType: "ministral3",
  keys: {
    ...gatedKeys,
    hidden_act: hiddenAct,
    attention_dropout: dropout,
    vocab_size: count(131_072),
    intermediate_size: count(14_336),
    num_hidden_layers: blockCount(34),
    num_key_value_heads: nullable(count(8), 8),
    head_dim: count(128),
    max_position_embeddings: count(262_144),
    rms_norm_eps: positive(1e-5),
    sliding_window: nullable(count(4096)),
  },
  layout(config) {
    const { hidden_act: activation, sliding_window: window } = config.values;
    if (config.has("original_max_position_embeddings")) {
      config.refuse("original_max_position_embeddings", "it belongs to rope_parameters");
    }
    if (readSliding(config, () => window !== null).some((isLocal) => isLocal !== (window !== null))) {
      config.refuse("layer_types", "transformers does not look at it here: all layers have the window, or none");
    }
    const section = sharedSection(config, usualRope);
    const { llama_4_scaling_beta: beta, original_max_position_embeddings: every } = section.values;
    const decoder = readGated(config, {
      activation,
      rotary: (headSize) => rotaryOf(section, config, { ...outerRope(config), headSize }),
    });
    const { rotary } = decoder;
    const growth = {
      beta: beta ?? section.broken("llama_4_scaling_beta", "a number"),
      every: every ?? section.broken("original_max_position_embeddings", "a whole number, at least 1"),
    };
    const kind = { name: "", rotary, queryRotary: { ...rotary, growth }, window: window ?? undefined };
    return gatedDecoder({ ...decoder, kinds: decoder.kinds.map(() => kind) });
  },
});
