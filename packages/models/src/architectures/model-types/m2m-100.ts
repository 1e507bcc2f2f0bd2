import { count, flag, integer, nullable } from "../../config/config-keys.ts";
import { dropout } from "../../config/harmless-keys.ts";
import { activationKey } from "../../graph/activations.ts";
import { scaled } from "../../graph/scaling.ts";
import { sinusoids } from "../../graph/sinusoids.ts";
import { defineArchitecture } from "../architecture.ts";
import { bartAliases, bartKeys, bartScale, bartStack } from "../families/bart-stack.ts";
import { sourceTargetModel, sourceTargetTokens } from "../families/source-target-model.ts";

/** M2M-100 and NLLB-200: translation between 100 and 200 languages. @see arXiv:2010.11125 @see arXiv:2207.04672 */
export const m2m100 = defineArchitecture({
  modelType: "m2m_100",
  keys: {
    ...bartKeys,
    vocab_size: count(128_112),
    activation_function: activationKey("relu"),
    scale_embedding: flag(true),
    decoder_start_token_id: nullable(integer(2), 2),
    pad_token_id: integer(1),
    dropout,
    encoder_layerdrop: { ...dropout, fallback: 0.05 },
    decoder_layerdrop: { ...dropout, fallback: 0.05 },
  },
  aliases: bartAliases,
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
    const scale = bartScale(config);
    return sourceTargetModel({
      vocabulary: values.vocab_size,
      contextLength: values.max_position_embeddings,
      sourceTarget: { ...tokens, languages: "before" },
      encoder: bartStack(config, "encoder"),
      decoder: bartStack(config, "decoder"),
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
