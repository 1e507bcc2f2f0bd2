import { count, derivedCount, flag, positive } from "../../config/config-keys.ts";
import { commonKeys, dropout } from "../../config/harmless-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { normsAfter } from "../families/gated-block.ts";
import type { HeadNorms } from "../families/gated-block.ts";
import { gatedKeys, hiddenAct, readGated, requireFull } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

const headNorms: HeadNorms = { query: "self_attn.q_norm", key: "self_attn.k_norm", of: "all heads" };

/** OLMo 2: norms after attention and MLP, and of all heads of a token together. @see arXiv:2501.00656 */
export const olmo2 = defineArchitecture({
  modelType: "olmo2",
  keys: {
    ...gatedKeys,
    head_dim: derivedCount,
    hidden_act: hiddenAct,
    attention_dropout: dropout,
    vocab_size: count(50_304),
    rms_norm_eps: positive(1e-5),
    attention_bias: flag(false),
    pad_token_id: { ...commonKeys.pad_token_id, fallback: 1 },
  },
  layout(config) {
    const { hidden_act: activation, attention_bias: attention } = config.values;
    requireFull(config);
    return gatedDecoder({
      ...readGated(config, { activation }),
      norms: normsAfter,
      headNorms,
      bias: { qkv: attention, output: attention, mlp: false },
    });
  },
});
