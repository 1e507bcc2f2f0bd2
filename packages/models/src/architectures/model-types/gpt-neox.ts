import { blockCount, count, flag, nullable, number, positive } from "../../config/config-keys.ts";
import type { ValuesOf } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import { dropout, initializer } from "../../config/harmless-keys.ts";
import { ropeKeys } from "../../config/rope-keys.ts";
import { readRotary } from "../../config/rope-scaling.ts";
import { activationKey, activations } from "../../graph/activations.ts";
import { defineArchitecture } from "../architecture.ts";
import { blockLinear } from "../families/decoder-blocks.ts";
import { plainDecoder } from "../families/plain-decoder.ts";
import type { PlainBlock } from "../families/plain-block.ts";

const keys = {
  ...ropeKeys,
  vocab_size: count(50_432),
  hidden_size: count(6144),
  num_hidden_layers: blockCount(44),
  num_attention_heads: count(64),
  intermediate_size: count(24_576),
  head_dim: nullable(count(0)),
  hidden_act: activationKey("gelu"),
  max_position_embeddings: count(2048),
  layer_norm_eps: positive(1e-5),
  rotary_emb_base: positive(10_000),
  rotary_pct: positive(0.25),
  use_parallel_residual: flag(true),
  attention_bias: flag(true),
  tie_word_embeddings: flag(false),
  // not read by the forward pass
  is_decoder: flag(false),
  initializer_range: initializer,
  attention_dropout: dropout,
  hidden_dropout: dropout,
  classifier_dropout: number(0.1),
} as const;

function readBlock(config: Config<ValuesOf<typeof keys>>): PlainBlock {
  const { values } = config;
  const { hidden_size: hidden, num_attention_heads: heads, intermediate_size: inner, attention_bias: biased } = values;
  if (hidden % heads !== 0) config.broken("num_attention_heads", `a divisor of hidden_size ${hidden}`);
  const headSize = hidden / heads;
  if (values.head_dim !== null && values.head_dim !== headSize) {
    config.refuse("head_dim", `heads of this type have hidden_size / num_attention_heads = ${headSize} elements`);
  }
  return {
    heads,
    norm: { size: hidden, epsilon: values.layer_norm_eps },
    activation: activations[values.hidden_act],
    qkv: [blockLinear("qkv", "attention.query_key_value", 3 * hidden, hidden, biased)],
    interleaved: true,
    output: blockLinear("output", "attention.dense", hidden, hidden, biased),
    up: blockLinear("up", "mlp.dense_h_to_4h", inner, hidden, true),
    down: blockLinear("down", "mlp.dense_4h_to_h", hidden, inner, true),
    normNames: ["input_layernorm", "post_attention_layernorm"],
    rotary: readRotary(config, { headSize, theta: values.rotary_emb_base, share: values.rotary_pct, partial: true }),
    parallel: values.use_parallel_residual,
    unread: ["attention.bias", "attention.masked_bias", "attention.rotary_emb.inv_freq"],
  };
}

/** GPT-NeoX, Pythia. @see arXiv:2204.06745 */
export const gptNeox = defineArchitecture({
  modelType: "gpt_neox",
  keys,
  layout(config) {
    const { values } = config;
    return plainDecoder({
      block: readBlock(config),
      blocks: values.num_hidden_layers,
      vocabulary: values.vocab_size,
      contextLength: values.max_position_embeddings,
      prefixes: ["gpt_neox."],
      names: { block: "layers.", embedding: "embed_in.weight", finalNorm: "final_layer_norm", head: "embed_out.weight" },
      tied: values.tie_word_embeddings,
      embedTensors: [],
      embedRoles: new Map(),
      unread: [],
      embedBasis: { tables: ["embed_in.weight"] },
      buildEmbed: (_, rows) => rows,
    });
  },
});
