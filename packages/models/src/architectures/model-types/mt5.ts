import { blockCount, count, flag, integer, nullable, text } from "../../config/config-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { t5Aliases, t5Keys, t5Model } from "../families/t5-model.ts";

/** Multilingual T5: an encoder-decoder of 101 languages. @see arXiv:2010.11934 */
export const mt5 = defineArchitecture({
  modelType: "mt5",
  keys: {
    ...t5Keys,
    vocab_size: count(250_112),
    d_ff: count(1024),
    num_layers: blockCount(8),
    num_heads: count(6),
    feed_forward_proj: text("gated-gelu"),
    decoder_start_token_id: nullable(integer(0), 0),
    tie_word_embeddings: flag(true),
  },
  aliases: t5Aliases,
  layout: (config) => t5Model(config, { contextLength: 1024, scaledHead: false }),
});
