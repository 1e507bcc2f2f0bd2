import { count, derivedCount, positive } from "../../config/config-keys.ts";
import { commonKeys, dropout } from "../../config/harmless-keys.ts";
import { ropeSection } from "../../config/rope-keys.ts";
import { readRotary } from "../../config/rope-scaling.ts";
import { defineArchitecture } from "../architecture.ts";
import { gatedKeys, hiddenAct, outerRope, readGated, requireFull } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

/** Query, key and value in one matrix, gate and up in another; a window in every block. @see arXiv:2404.14219 */
export const phi3 = defineArchitecture({
  modelType: "phi3",
  keys: {
    ...gatedKeys,
    hidden_act: hiddenAct,
    attention_dropout: dropout,
    vocab_size: count(32_064),
    hidden_size: count(3072),
    intermediate_size: count(8192),
    head_dim: derivedCount,
    partial_rotary_factor: positive(1),
    max_position_embeddings: count(4096),
    original_max_position_embeddings: count(4096),
    rms_norm_eps: positive(1e-5),
    pad_token_id: { ...commonKeys.pad_token_id, fallback: 32_000 },
    resid_pdrop: dropout,
    embd_pdrop: dropout,
  },
  layout(config) {
    requireFull(config);
    const { hidden_act: activation, sliding_window: window, original_max_position_embeddings: context } = config.values;
    // the class takes "yarn" for longrope, as the first of its configurations had it
    const types = { default: "default", longrope: "longrope", su: "longrope", yarn: "longrope" } as const;
    const { key, part } = ropeSection(config);
    if ((part["rope_type"] ?? part["type"]) === "su" && !Object.hasOwn(part, "original_max_position_embeddings")) {
      config.refuse(key, 'transformers asks for original_max_position_embeddings in it; or write "longrope" for "su"');
    }
    const rope = { ...outerRope(config), partial: true, types, context };
    const decoder = readGated(config, { activation, rotary: (headSize) => readRotary(config, { ...rope, headSize }) });
    const kinds = decoder.kinds.map((kind) => ({ ...kind, window: window ?? undefined }));
    return gatedDecoder({ ...decoder, fused: true, kinds });
  },
});
