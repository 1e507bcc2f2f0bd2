import { blockCount, count, flag, nullable, number, only, positive, text } from "../../config/config-keys.ts";
import type { ValuesOf } from "../../config/config-keys.ts";
import type { Config } from "../../config/config.ts";
import { dropout, initializer } from "../../config/harmless-keys.ts";
import { activationKey, activations } from "../../graph/activations.ts";
import { defineArchitecture } from "../architecture.ts";
import { blockLinear } from "../families/decoder-blocks.ts";
import type { BlockLinear } from "../families/decoder-blocks.ts";
import { plainDecoder } from "../families/plain-decoder.ts";
import type { PlainBlock } from "../families/plain-block.ts";

/** Its layers are stored as [in, out]. */
const transposedLinear = (role: string, name: string, rows: number, columns: number): BlockLinear => ({
  ...blockLinear(role, name, rows, columns, true),
  transposed: true,
});

const keys = {
  vocab_size: count(50_257),
  n_positions: count(1024),
  n_embd: count(768),
  n_layer: blockCount(12),
  n_head: count(12),
  n_inner: nullable(count(0)),
  activation_function: activationKey("gelu_new"),
  layer_norm_epsilon: positive(1e-5),
  scale_attn_weights: only(true),
  scale_attn_by_inverse_layer_idx: only(false),
  add_cross_attention: only(false),
  tie_word_embeddings: flag(true),
  // the order of two products in half precision
  reorder_and_upcast_attn: flag(false),
  // not read by the forward pass
  resid_pdrop: dropout,
  embd_pdrop: dropout,
  attn_pdrop: dropout,
  initializer_range: initializer,
  summary_type: text("cls_index"),
  summary_use_proj: flag(true),
  summary_activation: nullable(text("")),
  summary_proj_to_labels: flag(true),
  summary_first_dropout: number(0.1),
} as const;

function readBlock(config: Config<ValuesOf<typeof keys>>): PlainBlock {
  const { n_embd: hidden, n_head: heads, n_inner, layer_norm_epsilon: epsilon, activation_function } = config.values;
  if (hidden % heads !== 0) config.broken("n_head", `a divisor of n_embd ${hidden}`);
  const inner = n_inner ?? 4 * hidden;
  return {
    heads,
    norm: { size: hidden, epsilon },
    activation: activations[activation_function],
    qkv: [transposedLinear("qkv", "attn.c_attn", 3 * hidden, hidden)],
    interleaved: false,
    output: transposedLinear("output", "attn.c_proj", hidden, hidden),
    up: transposedLinear("up", "mlp.c_fc", inner, hidden),
    down: transposedLinear("down", "mlp.c_proj", hidden, inner),
    normNames: ["ln_1", "ln_2"],
    unread: ["attn.bias", "attn.masked_bias"],
  };
}

/** @see https://openai.com/index/better-language-models */
export const gpt2 = defineArchitecture({
  modelType: "gpt2",
  keys,
  aliases: {
    hidden_size: "n_embd",
    max_position_embeddings: "n_positions",
    num_attention_heads: "n_head",
    num_hidden_layers: "n_layer",
  },
  layout(config) {
    const { n_embd: hidden, n_positions: positions, n_layer: blocks, vocab_size: vocabulary, ...values } = config.values;
    return plainDecoder({
      block: readBlock(config),
      blocks,
      vocabulary,
      contextLength: positions,
      positionLimit: positions,
      prefixes: ["transformer."],
      names: { block: "h.", embedding: "wte.weight", finalNorm: "ln_f", head: "lm_head.weight" },
      tied: values.tie_word_embeddings,
      embedTensors: [{ name: "wpe.weight", shape: [positions, hidden], required: true }],
      embedRoles: new Map([["positions.weight", "wpe.weight"]]),
      unread: [],
      embedBasis: { tables: ["wte.weight", "wpe.weight"] },
      buildEmbed(embed, rows) {
        const table = embed.weight("positions.weight", [positions, hidden]);
        return embed.graph.node("Add", [rows, embed.graph.node("Gather", [table, embed.positions()])]);
      },
    });
  },
});
