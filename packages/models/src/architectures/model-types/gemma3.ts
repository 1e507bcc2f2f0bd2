import { count, integer, nullable, only, positive } from "../../config/config-keys.ts";
import type { ValuesOf } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import { ropeKindKeys, ropeSectionKeys } from "../../config/rope-keys.ts";
import { rotaryOf } from "../../config/rope-scaling.ts";
import type { RopeOptions } from "../../config/rope-scaling.ts";
import type { JsonObject } from "../../folder/json-file.ts";
import { defineArchitecture } from "../architecture.ts";
import { blockKinds, readSliding, requireWindow } from "../families/gated-config.ts";
import { usualHeadNorms } from "../families/gated-block.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";
import { gemmaKeys, readGemma } from "./gemma2.ts";

const keys = {
  ...gemmaKeys,
  vocab_size: count(262_208),
  max_position_embeddings: count(131_072),
  final_logit_softcapping: nullable(positive(30)),
  use_bidirectional_attention: nullable(only(false), false),
  attn_logit_softcapping: nullable(positive(50)),
  rope_theta: nullable(positive(1_000_000), 1_000_000),
  rope_local_base_freq: nullable(positive(10_000), 10_000),
  // of older configurations, in place of `layer_types`
  sliding_window_pattern: integer(6),
} as const;

/** Rotary positions of the global blocks and of the local ones: each kind has a section of `rope_parameters`. */
function readRotaries(config: Config<ValuesOf<typeof keys>>) {
  const { rope_parameters: parameters, rope_scaling: scaling, ...values } = config.values;
  const { values: sections } = config.section("rope_parameters", parameters ?? {}, ropeKindKeys);
  if (scaling !== null && parameters !== null && sections.full_attention === null) {
    config.refuse("rope_scaling", "it belongs to rope_parameters.full_attention");
  }
  // an older configuration's scaling is for the global blocks alone, and only by the newer name of its type
  const global = { ...(parameters === null ? { rope_type: "default" } : sections.full_attention), ...scaling };
  const read = (kind: string, part: JsonObject, options: Pick<RopeOptions, "headSize" | "theta">) => {
    const section = config.section(`rope_parameters.${kind}`, part, ropeSectionKeys);
    if (section.values.truncate === false) section.refuse("truncate", "transformers does not look at it here");
    const context = section.values.original_max_position_embeddings ?? values.max_position_embeddings;
    return rotaryOf(section, config, { ...options, context, share: values.partial_rotary_factor, partial: false });
  };
  const headSize = values.head_dim;
  return {
    global: read("full_attention", global, { headSize, theta: values.rope_theta }),
    local: read("sliding_attention", sections.sliding_attention ?? {}, { headSize, theta: values.rope_local_base_freq }),
  };
}

/** The text model of Gemma 3: local blocks with a window and positions of their own, then a global one. @see arXiv:2503.19786 */
export const gemma3 = defineArchitecture({
  modelType: "gemma3_text",
  keys,
  layout(config) {
    const { values } = config;
    if (values.attn_logit_softcapping !== null) config.refuse("attn_logit_softcapping", "leave it out: transformers ignores it");
    const { global, local } = readRotaries(config);
    const decoder = readGemma(config, () => global);
    const period = values.sliding_window_pattern;
    if (period < 1) config.broken("sliding_window_pattern", "at least 1");
    const sliding = readSliding(config, (index) => (index + 1) % period !== 0);
    const window = requireWindow(config, sliding);
    return gatedDecoder({
      ...decoder,
      headNorms: usualHeadNorms,
      kinds: blockKinds(sliding, { rotary: local, window }, { rotary: global, window: undefined }),
    });
  },
});
