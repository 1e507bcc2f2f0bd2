import { count, flag, nullable, positive } from "../../config/config-keys.ts";
import { dropout } from "../../config/harmless-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { usualHeadNorms } from "../families/gated-block.ts";
import { gatedKeys, hiddenAct, readGated, requireFull } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

/** The language model of Qwen 3 VL: a Qwen 3. Its positions have three parts, which are equal in text. @see arXiv:2511.21631 */
export const qwen3VlText = defineArchitecture({
  modelType: "qwen3_vl_text",
  keys: {
    ...gatedKeys,
    hidden_act: hiddenAct,
    attention_dropout: dropout,
    vocab_size: count(151_936),
    intermediate_size: count(22_016),
    num_key_value_heads: nullable(count(32), 32),
    head_dim: count(128),
    max_position_embeddings: count(128_000),
    rope_theta: nullable(positive(500_000), 500_000),
    attention_bias: flag(false),
  },
  layout(config) {
    const { hidden_act: activation, attention_bias: attention } = config.values;
    requireFull(config);
    return gatedDecoder({
      ...readGated(config, { activation }),
      headNorms: usualHeadNorms,
      bias: { qkv: attention, output: attention, mlp: false },
    });
  },
});
