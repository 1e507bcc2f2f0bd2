import { readActivation } from "./activations.ts";
import type { Architecture, Layout } from "./architecture.ts";
import type { ConfigReader } from "./config.ts";
import { blockLinear } from "./decoder-blocks.ts";
import type { BlockLinear } from "./decoder-blocks.ts";
import { plainDecoder } from "./plain-decoder.ts";
import type { PlainBlock } from "./plain-step.ts";

/** Its layers are stored as [in, out]. */
const transposedLinear = (role: string, name: string, rows: number, columns: number): BlockLinear => ({
  ...blockLinear(role, name, rows, columns, true),
  transposed: true,
});

function readBlock(config: ConfigReader, hidden: number): PlainBlock {
  const heads = config.count("n_head", "num_attention_heads");
  if (hidden % heads !== 0) config.broken("n_head", `a divisor of n_embd ${hidden}`);
  config.requireOnly("scale_attn_weights", true);
  config.requireOnly("scale_attn_by_inverse_layer_idx", false);
  config.requireOnly("add_cross_attention", false);
  const inner = config.optionalCount("n_inner") ?? 4 * hidden;
  return {
    heads,
    norm: { size: hidden, epsilon: config.positive("layer_norm_epsilon", 1e-5) },
    activation: readActivation(config, "activation_function", "gelu_new"),
    qkv: [transposedLinear("qkv", "attn.c_attn", 3 * hidden, hidden)],
    interleaved: false,
    output: transposedLinear("output", "attn.c_proj", hidden, hidden),
    up: transposedLinear("up", "mlp.c_fc", inner, hidden),
    down: transposedLinear("down", "mlp.c_proj", hidden, inner),
    normNames: ["ln_1", "ln_2"],
    unread: ["attn.bias", "attn.masked_bias"],
  };
}

function layout(config: ConfigReader): Layout {
  const hidden = config.count("n_embd", "hidden_size");
  const positions = config.count("n_positions", "max_position_embeddings");
  return plainDecoder({
    block: readBlock(config, hidden),
    blocks: config.count("n_layer", "num_hidden_layers"),
    vocabulary: config.count("vocab_size"),
    contextLength: positions,
    positionLimit: positions,
    prefixes: ["transformer."],
    names: { block: "h.", embedding: "wte.weight", finalNorm: "ln_f", head: "lm_head.weight" },
    tied: config.flag("tie_word_embeddings", true),
    embedTensors: [{ name: "wpe.weight", shape: [positions, hidden], required: true }],
    embedRoles: new Map([["positions.weight", "wpe.weight"]]),
    unread: [],
    buildEmbed(embed, rows) {
      const table = embed.weight("positions.weight", [positions, hidden]);
      return embed.graph.node("Add", [rows, embed.graph.node("Gather", [table, embed.positions()])]);
    },
  });
}

/** @see https://openai.com/index/better-language-models */
export const gpt2: Architecture = { modelType: "gpt2", layout };
