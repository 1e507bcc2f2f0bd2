import { count, derivedCount, flag, integer, nullable, positive } from "../../config/config-keys.ts";
import type { Key } from "../../config/config-keys.ts";
import { commonKeys, dropout } from "../../config/harmless-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { still } from "../families/gated-block.ts";
import { gatedKeys, hiddenAct, readGated, readSliding } from "../families/gated-config.ts";
import { gatedDecoder } from "../families/gated-decoder.ts";

/** Of each block whether its positions are rotary: 0 for none. */
const marks: Key<readonly number[]> = {
  fallback: [],
  read: (value, fault) =>
    Array.isArray(value) && value.every((entry) => Number.isSafeInteger(entry))
      ? (value as number[])
      : fault.broken("a list of whole numbers"),
};

/** A Llama in which every fourth block has no positions. @see https://huggingface.co/blog/smollm3 */
export const smollm3 = defineArchitecture({
  modelType: "smollm3",
  keys: {
    ...gatedKeys,
    hidden_act: hiddenAct,
    head_dim: derivedCount,
    attention_dropout: dropout,
    vocab_size: count(128_256),
    hidden_size: count(2048),
    num_hidden_layers: count(36),
    num_attention_heads: count(16),
    num_key_value_heads: nullable(count(4), 4),
    max_position_embeddings: count(32_768),
    rope_theta: nullable(positive(2_000_000), 2_000_000),
    tie_word_embeddings: flag(true),
    attention_bias: flag(false),
    mlp_bias: flag(false),
    pad_token_id: { ...commonKeys.pad_token_id, fallback: 128_004 },
    use_sliding_window: flag(false),
    no_rope_layers: nullable(marks),
    no_rope_layer_interval: integer(4),
  },
  layout(config) {
    const { values } = config;
    const { num_hidden_layers: blocks, no_rope_layers: given, no_rope_layer_interval: interval } = values;
    if (given === null && interval === 0) config.broken("no_rope_layer_interval", "a whole number other than 0");
    if (given !== null && given.length < blocks) config.broken("no_rope_layers", `a list of at least ${blocks} numbers`);
    const turning = Array.from({ length: blocks }, (_, index) =>
      given === null ? (index + 1) % interval !== 0 : given[index] !== 0,
    );
    const window = values.use_sliding_window ? (values.sliding_window ?? undefined) : undefined;
    const sliding = readSliding(config, (index) => window !== undefined && turning[index] === false);
    if (window === undefined && sliding.includes(true)) config.refuse("layer_types", "sliding_window is off");
    const decoder = readGated(config, { activation: values.hidden_act });
    return gatedDecoder({
      ...decoder,
      bias: { qkv: values.attention_bias, output: values.attention_bias, mlp: values.mlp_bias },
      kinds: sliding.map((isLocal, index) => ({
        name: `${turning[index] === true ? "rotary" : "still"}-${isLocal ? "local" : "global"}`,
        rotary: turning[index] === true ? decoder.rotary : still,
        window: isLocal ? window : undefined,
      })),
    });
  },
});
