import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { neverTied } from "../../gguf/form/metadata-fields.ts";
import {
  gatedFields,
  gatedParts,
  gatedTensors,
  usualHeads,
  wholeRotary,
  withoutBiases,
  withoutFactors,
} from "../families/gated.gguf.ts";
import { normsAfterNames } from "./exaone4.gguf.ts";

/** Files of OLMo 3 have the same architecture. */
const noWindow: MetadataField = {
  read: ({ metadata }) => {
    if ((metadata.findCount("attention.sliding_window") ?? 0) > 0) {
      metadata.refuse("attention.sliding_window", "no block of OLMo 2 has a window, and OLMo 3 is not read");
    }
    return {};
  },
};

export const olmo2: GgufForm = {
  className: "Olmo2ForCausalLM",
  prefix: "model.",
  tensors: gatedTensors(normsAfterNames, gatedParts.attention, gatedParts.headNorms, gatedParts.mlp),
  fields: [
    ...gatedFields({ headSize: usualHeads(false), rotary: withoutFactors(wholeRotary()), tied: neverTied }),
    withoutBiases("attention_bias"),
    noWindow,
  ],
};
