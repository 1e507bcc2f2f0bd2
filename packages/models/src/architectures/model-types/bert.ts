import { integer, nullable } from "../../config/config-keys.ts";
import { defineArchitecture } from "../architecture.ts";
import { encoderKeys, encoderModel } from "../families/encoder-model.ts";

/** Tokenizers of SentencePiece's kind alone are read, which multilingual models of this type have. @see arXiv:1810.04805 */
export const bert = defineArchitecture({
  modelType: "bert",
  keys: { ...encoderKeys, pad_token_id: nullable(integer(0), 0) },
  layout(config) {
    const { pad_token_id: padding, vocab_size: vocabulary } = config.values;
    // the row of the embedding that training leaves alone, counted from its end below 0: the forward pass does not read it
    if (padding !== null && (padding >= vocabulary || padding < -vocabulary))
      config.broken("pad_token_id", `a token below vocab_size ${vocabulary}`);
    return encoderModel(config, { prefix: "bert." });
  },
});
