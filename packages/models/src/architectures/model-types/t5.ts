import { anything } from "../../config/config-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { hasScaledHead, t5Aliases, t5Keys, t5Model } from "../families/t5-model.ts";

/** T5 and T5 1.1, which drops the scale before the head: transformers tells by these keys. @see arXiv:1910.10683 */
export const t5 = defineArchitecture({
  modelType: "t5",
  keys: { ...t5Keys, scale_decoder_outputs: anything },
  aliases: t5Aliases,
  layout: (config) => t5Model(config, { contextLength: 512, scaledHead: hasScaledHead(config) }),
});
