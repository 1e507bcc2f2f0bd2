import { integer } from "../../config/config-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { encoderKeys, encoderModel } from "../families/encoder-model.ts";

/** @see arXiv:1911.02116 */
export const xlmRoberta = defineArchitecture({
  modelType: "xlm-roberta",
  keys: { ...encoderKeys, pad_token_id: integer(1) },
  layout(config) {
    const { pad_token_id: padding, vocab_size: vocabulary } = config.values;
    if (padding < 0 || padding >= vocabulary) config.broken("pad_token_id", `a token below vocab_size ${vocabulary}`);
    return encoderModel(config, { prefix: "roberta.", padding });
  },
});
