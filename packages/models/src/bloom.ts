import { alibiSlopes } from "./alibi.ts";
import { tanhGelu } from "./activations.ts";
import type { Architecture, Layout } from "./architecture.ts";
import type { ConfigReader } from "./config.ts";
import { blockLinear } from "./decoder-blocks.ts";
import { layerNorm } from "./norms.ts";
import { plainDecoder } from "./plain-decoder.ts";
import type { PlainBlock } from "./plain-step.ts";

function readBlock(config: ConfigReader, hidden: number): PlainBlock {
  const heads = config.count("n_head", "num_attention_heads");
  if (hidden % heads !== 0) config.broken("n_head", `a divisor of hidden_size ${hidden}`);
  return {
    heads,
    norm: { size: hidden, epsilon: config.positive("layer_norm_epsilon", 1e-5) },
    activation: tanhGelu,
    qkv: [blockLinear("qkv", "self_attention.query_key_value", 3 * hidden, hidden, true)],
    interleaved: true,
    output: blockLinear("output", "self_attention.dense", hidden, hidden, true),
    up: blockLinear("up", "mlp.dense_h_to_4h", 4 * hidden, hidden, true),
    down: blockLinear("down", "mlp.dense_4h_to_h", hidden, 4 * hidden, true),
    normNames: ["input_layernorm", "post_attention_layernorm"],
    slopes: alibiSlopes(heads),
    residualAfterNorm: config.flag("apply_residual_connection_post_layernorm", false),
  };
}

function layout(config: ConfigReader): Layout {
  const block = readBlock(config, config.count("hidden_size", "n_embed"));
  const norm = ["weight", "bias"].map((kind) => [`norm.${kind}`, `word_embeddings_layernorm.${kind}`] as const);
  return plainDecoder({
    block,
    blocks: config.count("n_layer", "num_hidden_layers"),
    vocabulary: config.count("vocab_size"),
    contextLength: config.optionalCount("seq_length"),
    prefixes: ["transformer."],
    names: { block: "h.", embedding: "word_embeddings.weight", finalNorm: "ln_f", head: "lm_head.weight" },
    tied: config.flag("tie_word_embeddings", true),
    embedTensors: norm.map(([, name]) => ({ name, shape: [block.norm.size], required: true })),
    embedRoles: new Map(norm),
    unread: [],
    buildEmbed: (embed, rows) => layerNorm(embed, rows, "norm", block.norm),
  });
}

/** @see https://arxiv.org/abs/2211.05100 */
export const bloom: Architecture = { modelType: "bloom", layout };
