import { readActivation } from "./activations.ts";
import type { Architecture, Layout } from "./architecture.ts";
import type { ConfigReader } from "./config.ts";
import { blockLinear } from "./decoder-blocks.ts";
import { plainDecoder } from "./plain-decoder.ts";
import type { PlainBlock } from "./plain-step.ts";
import { readRotary } from "./rope-scaling.ts";

function readBlock(config: ConfigReader, hidden: number): PlainBlock {
  const heads = config.count("num_attention_heads");
  if (hidden % heads !== 0) config.broken("num_attention_heads", `a divisor of hidden_size ${hidden}`);
  const inner = config.count("intermediate_size");
  const biased = config.flag("attention_bias", true);
  return {
    heads,
    norm: { size: hidden, epsilon: config.positive("layer_norm_eps", 1e-5) },
    activation: readActivation(config, "hidden_act", "gelu"),
    qkv: [blockLinear("qkv", "attention.query_key_value", 3 * hidden, hidden, biased)],
    interleaved: true,
    output: blockLinear("output", "attention.dense", hidden, hidden, biased),
    up: blockLinear("up", "mlp.dense_h_to_4h", inner, hidden, true),
    down: blockLinear("down", "mlp.dense_4h_to_h", hidden, inner, true),
    normNames: ["input_layernorm", "post_attention_layernorm"],
    rotary: readRotary(config, {
      headSize: hidden / heads,
      thetaKey: "rotary_emb_base",
      share: 0.25,
      shareKey: "rotary_pct",
    }),
    parallel: config.flag("use_parallel_residual", true),
    unread: ["attention.bias", "attention.masked_bias", "attention.rotary_emb.inv_freq"],
  };
}

function layout(config: ConfigReader): Layout {
  return plainDecoder({
    block: readBlock(config, config.count("hidden_size")),
    blocks: config.count("num_hidden_layers"),
    vocabulary: config.count("vocab_size"),
    contextLength: config.optionalCount("max_position_embeddings"),
    prefixes: ["gpt_neox."],
    names: { block: "layers.", embedding: "embed_in.weight", finalNorm: "final_layer_norm", head: "embed_out.weight" },
    tied: config.flag("tie_word_embeddings", false),
    embedTensors: [],
    embedRoles: new Map(),
    unread: [],
    buildEmbed: (_, rows) => rows,
  });
}

/** GPT-NeoX, Pythia. @see arXiv:2204.06745 */
export const gptNeox: Architecture = { modelType: "gpt_neox", layout };
