import { blockCount, count, flag, integer, nullable, number, only } from "../../config/config-keys.ts";
import type { ValuesOf } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import { dropout, initializer } from "../../config/harmless-keys.ts";
import { activationKey, activations } from "../../graph/activations.ts";
import { scaled } from "../../graph/scaling.ts";
import { sinusoids } from "../../graph/sinusoids.ts";
import { defineArchitecture } from "../architecture.ts";
import { blockLinear } from "../families/decoder-blocks.ts";
import { plainDecoder } from "../families/plain-decoder.ts";
import type { PlainBlock } from "../families/plain-block.ts";

/** Positions start here: fairseq keeps the first two for padding. */
const firstPosition = 2;

const keys = {
  vocab_size: count(256_008),
  max_position_embeddings: count(2048),
  d_model: count(1024),
  ffn_dim: count(4096),
  num_layers: blockCount(24),
  attention_heads: count(16),
  activation_function: activationKey("gelu"),
  scale_embedding: flag(true),
  pad_token_id: nullable(integer(1), 1),
  add_cross_attention: only(false),
  tie_word_embeddings: flag(true),
  // not read by the forward pass
  decoder_start_token_id: integer(2),
  dropout,
  attention_dropout: dropout,
  activation_dropout: dropout,
  layerdrop: number(0),
  init_std: initializer,
} as const;

function readBlock(config: Config<ValuesOf<typeof keys>>): PlainBlock {
  const { d_model: hidden, attention_heads: heads, ffn_dim: inner, activation_function } = config.values;
  if (hidden % heads !== 0 || hidden % 2 !== 0 || hidden < 4) {
    config.broken("d_model", `even and a multiple of attention_heads ${heads}`);
  }
  return {
    heads,
    norm: { size: hidden, epsilon: 1e-5 },
    activation: activations[activation_function],
    qkv: [
      blockLinear("query", "self_attn.q_proj", hidden, hidden, true),
      blockLinear("key", "self_attn.k_proj", hidden, hidden, true),
      blockLinear("value", "self_attn.v_proj", hidden, hidden, true),
    ],
    interleaved: false,
    output: blockLinear("output", "self_attn.out_proj", hidden, hidden, true),
    up: blockLinear("up", "fc1", inner, hidden, true),
    down: blockLinear("down", "fc2", hidden, inner, true),
    normNames: ["self_attn_layer_norm", "final_layer_norm"],
  };
}

/** @see arXiv:2112.10668 */
export const xglm = defineArchitecture({
  modelType: "xglm",
  keys,
  aliases: { num_attention_heads: "attention_heads", hidden_size: "d_model", num_hidden_layers: "num_layers" },
  layout(config) {
    const { d_model: hidden, pad_token_id: pad, ...values } = config.values;
    const scale = values.scale_embedding ? Math.sqrt(hidden) : 1;
    if (pad !== null && (pad < 0 || pad >= firstPosition)) {
      config.refuse("pad_token_id", "it would blank a position; only 0 and 1 are supported");
    }
    return plainDecoder({
      block: readBlock(config),
      blocks: values.num_layers,
      vocabulary: values.vocab_size,
      contextLength: values.max_position_embeddings,
      prefixes: ["model."],
      names: { block: "layers.", embedding: "embed_tokens.weight", finalNorm: "layer_norm", head: "lm_head.weight" },
      tied: values.tie_word_embeddings,
      embedTensors: [],
      embedRoles: new Map(),
      unread: ["embed_positions.weights"],
      embedBasis: { reason: "its positions are computed, not stored, and added to the residual stream" },
      buildEmbed: (embed, rows) =>
        embed.graph.node("Add", [scaled(embed.graph, rows, scale), sinusoids(embed, hidden, firstPosition)]),
    });
  },
});
