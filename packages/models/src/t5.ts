import type { Architecture } from "./architecture.ts";
import { t5Model } from "./t5-model.ts";

/** T5 and T5 1.1, which drops the scale before the head: transformers tells by these keys. @see arXiv:1910.10683 */
export const t5: Architecture = {
  modelType: "t5",
  layout(config) {
    const scaledHead = config.flag("scale_decoder_outputs", config.flag("tie_word_embeddings", true));
    return t5Model(config, { feedForward: "relu", contextLength: 512, scaledHead });
  },
};
