import { floatTensor, integerTensor } from "@mbs/onnx";
import { readActivation } from "./activations.ts";
import type { Architecture, Layout } from "./architecture.ts";
import type { ConfigReader } from "./config.ts";
import { blockLinear } from "./decoder-blocks.ts";
import { plainDecoder } from "./plain-decoder.ts";
import type { PlainBlock } from "./plain-step.ts";
import { scaled } from "./scaling.ts";
import type { EmbedGraph } from "./sequence-graph.ts";

/** Positions start here: fairseq keeps the first two for padding. */
const firstPosition = 2;

/** Sines, then cosines, of position · frequency: [rows, hidden], hidden even. */
function sinusoids({ graph, ...embed }: EmbedGraph, hidden: number): string {
  const pairs = hidden / 2;
  const frequencies = Float32Array.from({ length: pairs }, (_, pair) => 10_000 ** (-pair / (pairs - 1)));
  const shifted = graph.node("Add", [embed.positions(), graph.constant(integerTensor([firstPosition]))]);
  const column = graph.node("Unsqueeze", [shifted, graph.constant(integerTensor([1]))]);
  const positions = graph.node("Cast", [column], { attributes: { to: 1 } });
  const angles = graph.node("Mul", [positions, graph.constant(floatTensor(frequencies, [1, pairs]))]);
  return graph.node("Concat", [graph.node("Sin", [angles]), graph.node("Cos", [angles])], { attributes: { axis: 1 } });
}

function readBlock(config: ConfigReader, hidden: number): PlainBlock {
  const heads = config.count("attention_heads", "num_attention_heads");
  if (hidden % heads !== 0 || hidden % 2 !== 0 || hidden < 4) {
    config.broken("d_model", `even and a multiple of attention_heads ${heads}`);
  }
  config.requireOnly("add_cross_attention", false);
  const inner = config.count("ffn_dim");
  return {
    heads,
    norm: { size: hidden, epsilon: 1e-5 },
    activation: readActivation(config, "activation_function", "gelu"),
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

function layout(config: ConfigReader): Layout {
  const hidden = config.count("d_model", "hidden_size");
  const scale = config.flag("scale_embedding", true) ? Math.sqrt(hidden) : 1;
  if (config.number("pad_token_id", 1) >= firstPosition) {
    config.refuse("pad_token_id", "it would blank a position; only 0 and 1 are supported");
  }
  return plainDecoder({
    block: readBlock(config, hidden),
    blocks: config.count("num_layers", "num_hidden_layers"),
    vocabulary: config.count("vocab_size"),
    contextLength: config.optionalCount("max_position_embeddings"),
    prefixes: ["model."],
    names: { block: "layers.", embedding: "embed_tokens.weight", finalNorm: "layer_norm", head: "lm_head.weight" },
    tied: config.flag("tie_word_embeddings", true),
    embedTensors: [],
    embedRoles: new Map(),
    unread: ["embed_positions.weights"],
    buildEmbed: (embed, rows) => embed.graph.node("Add", [scaled(embed.graph, rows, scale), sinusoids(embed, hidden)]),
  });
}

/** @see arXiv:2112.10668 */
export const xglm: Architecture = { modelType: "xglm", layout };
