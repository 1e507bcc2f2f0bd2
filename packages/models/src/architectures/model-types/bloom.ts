import { blockCount, count, flag, integer, nullable, positive } from "../../config/config-keys.ts";
import type { ValuesOf } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import { dropout, initializer } from "../../config/harmless-keys.ts";
import { tanhGelu } from "../../graph/activations.ts";
import { layerNorm } from "../../graph/norms.ts";
import { defineArchitecture } from "../architecture.ts";
import { blockLinear } from "../families/decoder-blocks.ts";
import { plainDecoder } from "../families/plain-decoder.ts";
import type { PlainBlock } from "../families/plain-block.ts";

const keys = {
  vocab_size: count(250_880),
  hidden_size: count(64),
  /** Counts instead of hidden_size. */
  n_embed: nullable(count(0)),
  n_layer: blockCount(2),
  n_head: count(8),
  layer_norm_epsilon: positive(1e-5),
  apply_residual_connection_post_layernorm: flag(false),
  slow_but_exact: flag(false),
  pretraining_tp: integer(1),
  tie_word_embeddings: flag(true),
  /** Tokens of the texts of training, which the class does not know. */
  seq_length: nullable(count(0)),
  // not read by the forward pass
  n_inner: nullable(integer(0)),
  initializer_range: initializer,
  hidden_dropout: dropout,
  attention_dropout: dropout,
} as const;

/**
 * Slope of each head's linear bias: powers of 2^(-8/n) for n heads, n a power of two; further heads take every other
 * slope of 2n heads.
 *
 * @param heads ≥ 1
 * @see arXiv:2108.12409 §3, and its authors' rule for other numbers of heads
 */
export function alibiSlopes(heads: number): Float32Array {
  const whole = 2 ** Math.floor(Math.log2(heads));
  const first = Array.from({ length: whole }, (_, head) => 2 ** ((-8 * (head + 1)) / whole));
  const further = Array.from({ length: heads - whole }, (_, head) => 2 ** ((-8 * (2 * head + 1)) / (2 * whole)));
  return Float32Array.from([...first, ...further]);
}

function readBlock(config: Config<ValuesOf<typeof keys>>, hidden: number): PlainBlock {
  const { n_head: heads, slow_but_exact: sliced, pretraining_tp: slices, ...values } = config.values;
  if (hidden % heads !== 0) config.broken("n_head", `a divisor of hidden_size ${hidden}`);
  if (sliced && slices > 1) config.refuse("slow_but_exact", "with pretraining_tp above 1, transformers adds up other products");
  return {
    heads,
    norm: { size: hidden, epsilon: values.layer_norm_epsilon },
    activation: tanhGelu,
    qkv: [blockLinear("qkv", "self_attention.query_key_value", 3 * hidden, hidden, true)],
    interleaved: true,
    output: blockLinear("output", "self_attention.dense", hidden, hidden, true),
    up: blockLinear("up", "mlp.dense_h_to_4h", 4 * hidden, hidden, true),
    down: blockLinear("down", "mlp.dense_4h_to_h", hidden, 4 * hidden, true),
    normNames: ["input_layernorm", "post_attention_layernorm"],
    slopes: alibiSlopes(heads),
    residualAfterNorm: values.apply_residual_connection_post_layernorm,
  };
}

/** @see https://arxiv.org/abs/2211.05100 */
export const bloom = defineArchitecture({
  modelType: "bloom",
  keys,
  aliases: { num_hidden_layers: "n_layer", num_attention_heads: "n_head" },
  layout(config) {
    const { values } = config;
    const block = readBlock(config, values.n_embed ?? values.hidden_size);
    const norm = ["weight", "bias"].map((kind) => [`norm.${kind}`, `word_embeddings_layernorm.${kind}`] as const);
    return plainDecoder({
      block,
      blocks: values.n_layer,
      vocabulary: values.vocab_size,
      contextLength: values.seq_length ?? undefined,
      prefixes: ["transformer."],
      names: { block: "h.", embedding: "word_embeddings.weight", finalNorm: "ln_f", head: "lm_head.weight" },
      tied: values.tie_word_embeddings,
      embedTensors: norm.map(([, name]) => ({ name, shape: [block.norm.size], required: true })),
      embedRoles: new Map(norm),
      unread: [],
      embedBasis: {
        tables: ["word_embeddings.weight"],
        embeddingNorm: {
          weight: "word_embeddings_layernorm.weight",
          bias: "word_embeddings_layernorm.bias",
          epsilon: block.norm.epsilon,
        },
      },
      buildEmbed: (embed, rows) => layerNorm(embed, rows, "norm", block.norm),
    });
  },
});
