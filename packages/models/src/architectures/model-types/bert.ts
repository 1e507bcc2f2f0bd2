import { defineArchitecture } from "../architecture.ts";
import { encoderKeys, encoderModel } from "../families/encoder-model.ts";

/** Tokenizers of SentencePiece's kind alone are read, which multilingual models of this type have. @see arXiv:1810.04805 */
export const bert = defineArchitecture({
  modelType: "bert",
  keys: encoderKeys,
  layout: (config) => encoderModel(config, { prefix: "bert." }),
});
