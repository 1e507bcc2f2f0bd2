import type { Architecture } from "./architecture.ts";
import { t5Model } from "./t5-model.ts";

/** Multilingual T5: an encoder-decoder of 101 languages. @see arXiv:2010.11934 */
export const mt5: Architecture = {
  modelType: "mt5",
  layout: (config) => t5Model(config, { feedForward: "gated-gelu", contextLength: 1024, scaledHead: false }),
};
