import { anything, blockCount, count, integer, nullable, text } from "../../config/config-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { hasScaledHead, t5Aliases, t5Keys, t5Model } from "../families/t5-model.ts";

/** umT5: an mT5 of 107 languages in which each block has its own biases by distance. @see arXiv:2304.09151 */
export const umt5 = defineArchitecture({
  modelType: "umt5",
  keys: {
    ...t5Keys,
    vocab_size: count(250_112),
    d_ff: count(1024),
    num_layers: blockCount(8),
    num_heads: count(6),
    feed_forward_proj: text("gated-gelu"),
    decoder_start_token_id: nullable(integer(0), 0),
    scale_decoder_outputs: anything,
  },
  aliases: t5Aliases,
  layout: (config) => t5Model(config, { contextLength: 1024, scaledHead: hasScaledHead(config), ownDistances: true }),
});
