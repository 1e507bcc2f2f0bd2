import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { factor, number, biases, vocabulary } from "../../gguf/form/metadata-fields.ts";
import {
  attentionLayers,
  gatedFields,
  gatedParts,
  gatedTensors,
  headSizeOfFile,
  mlpLayers,
  pairedHeads,
  readHeadSize,
  wholeRotary,
} from "../families/gated.gguf.ts";

/** Files of models without positions have the same architecture. */
const turning: MetadataField = {
  read: ({ metadata }) => {
    if (metadata.findFlag("rope.scaling.finetuned") === false) {
      metadata.refuse("rope.scaling.finetuned", "positions must be rotary, and here there are none");
    }
    return {};
  },
};

export const granite: GgufForm = {
  className: "GraniteForCausalLM",
  prefix: "model.",
  tensors: gatedTensors(gatedParts.norms, gatedParts.attention, gatedParts.mlp),
  views: pairedHeads,
  fields: [
    ...gatedFields({ vocabulary: vocabulary(true), headSize: { read: readHeadSize }, rotary: wholeRotary(true) }),
    turning,
    biases("attention_bias", ...attentionLayers),
    biases("mlp_bias", ...mlpLayers),
    factor("embedding_scale", "embedding_multiplier"),
    factor("attention.scale", "attention_multiplier", (contents) => 1 / Math.sqrt(headSizeOfFile(contents).headSize)),
    factor("residual_scale", "residual_multiplier"),
    number("logit_scale", "logits_scaling"),
  ],
};
