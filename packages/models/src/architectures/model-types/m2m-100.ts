import { blockCount, count, flag, integer, nullable, number, only } from "../../config/config-keys.ts";
import { dropout, initializer } from "../../config/harmless-keys.ts";
import { activationKey, activations } from "../../graph/activations.ts";
import { scaled } from "../../graph/scaling.ts";
import { sinusoids } from "../../graph/sinusoids.ts";
import { defineArchitecture } from "../architecture.ts";
import { blockLinear } from "../families/decoder-blocks.ts";
import type { AttentionLinears, SourceTargetBlock } from "../families/source-target-block.ts";
import { sourceTargetModel, sourceTargetTokens } from "../families/source-target-model.ts";
import type { Stack } from "../families/source-target-model.ts";

/** @param role what their roles begin with */
function attentionLinears(hidden: number, role: string, name: string): AttentionLinears {
  const linear = (part: string) => blockLinear(`${role}${part}`, `${name}.${part}_proj`, hidden, hidden, true);
  return { query: linear("q"), key: linear("k"), value: linear("v"), output: linear("out") };
}

/** M2M-100 and NLLB-200: translation between 100 and 200 languages. @see arXiv:2010.11125 @see arXiv:2207.04672 */
export const m2m100 = defineArchitecture({
  modelType: "m2m_100",
  keys: {
    vocab_size: count(128_112),
    max_position_embeddings: count(1024),
    d_model: count(1024),
    encoder_layers: blockCount(12),
    encoder_attention_heads: count(16),
    encoder_ffn_dim: count(4096),
    decoder_layers: blockCount(12),
    decoder_attention_heads: count(16),
    decoder_ffn_dim: count(4096),
    activation_function: activationKey("relu"),
    scale_embedding: flag(true),
    is_encoder_decoder: only(true),
    tie_word_embeddings: flag(true),
    decoder_start_token_id: nullable(integer(2), 2),
    pad_token_id: integer(1),
    // not read by the forward pass
    dropout,
    attention_dropout: dropout,
    activation_dropout: dropout,
    encoder_layerdrop: number(0.05),
    decoder_layerdrop: number(0.05),
    init_std: initializer,
  },
  aliases: { num_attention_heads: "encoder_attention_heads", hidden_size: "d_model", num_hidden_layers: "encoder_layers" },
  layout(config) {
    const { values } = config;
    const { d_model: hidden, pad_token_id: pad } = values;
    if (hidden % 2 !== 0 || hidden < 4) config.broken("d_model", "even and at least 4");
    if (pad < 0 || pad >= values.vocab_size) config.broken("pad_token_id", `a token below vocab_size ${values.vocab_size}`);
    const tokens = sourceTargetTokens(config, 2);
    for (const [key, token] of [
      ["decoder_start_token_id", tokens.start],
      ["eos_token_id", tokens.end],
    ] as const) {
      if (token === pad) config.refuse(key, "it is the pad_token_id, which has no position");
    }
    const activation = activations[values.activation_function];
    const block = (key: "encoder" | "decoder"): SourceTargetBlock => {
      const heads = values[`${key}_attention_heads`];
      const inner = values[`${key}_ffn_dim`];
      if (hidden % heads !== 0) config.broken("d_model", `a multiple of ${key}_attention_heads ${heads}`);
      return {
        hidden,
        heads,
        headSize: hidden / heads,
        scale: (hidden / heads) ** -0.5,
        norm: { kind: "layer", epsilon: 1e-5 },
        normNames: ["self_attn_layer_norm", ...(key === "decoder" ? ["encoder_attn_layer_norm"] : []), "final_layer_norm"],
        self: attentionLinears(hidden, "", "self_attn"),
        cross: key === "decoder" ? attentionLinears(hidden, "cross-", "encoder_attn") : undefined,
        up: [blockLinear("up", "fc1", inner, hidden, true)],
        down: blockLinear("down", "fc2", hidden, inner, true),
        activation,
      };
    };
    const stack = (key: "encoder" | "decoder"): Stack => ({
      prefix: `${key}.layers.`,
      blocks: values[`${key}_layers`],
      block: block(key),
      finalNorm: `${key}.layer_norm`,
    });
    const scale = values.scale_embedding ? Math.sqrt(hidden) : 1;
    return sourceTargetModel({
      vocabulary: values.vocab_size,
      contextLength: values.max_position_embeddings,
      sourceTarget: { ...tokens, hasLanguages: true },
      encoder: stack("encoder"),
      decoder: stack("decoder"),
      prefixes: ["model."],
      needsHead: !values.tie_word_embeddings,
      // where nothing is tied, transformers has three embeddings
      needsCopies: !values.tie_word_embeddings,
      unread: ["encoder.embed_positions.weights", "decoder.embed_positions.weights"],
      // the first position is the one after the padding token's id
      buildEmbed: (embed, rows) => embed.graph.node("Add", [scaled(embed.graph, rows, scale), sinusoids(embed, hidden, pad + 1)]),
    });
  },
});
