import type { GgufForm } from "../../gguf/form/gguf-form.ts";
import { always, biases } from "../../gguf/form/metadata-fields.ts";
import { gatedFields, gatedParts, gatedTensors, headDim, wholeRotary, withoutFactors } from "../families/gated.gguf.ts";

/** llama.cpp takes no biases there. */
const plain = (key: string) =>
  always({ [key]: false }, (model) => {
    if (model.find(key) === true) model.refuse(key, "it is true");
  });

/** The norm before the MLP has the name that other types give to one after attention. */
const norms = [
  ["attn_norm", "input_layernorm"],
  ["post_attention_norm", "post_attention_layernorm"],
] as const;

export const seedOss: GgufForm = {
  className: "SeedOssForCausalLM",
  prefix: "model.",
  tensors: gatedTensors(norms, gatedParts.attention, gatedParts.mlp),
  fields: [
    ...gatedFields({ rotary: withoutFactors(wholeRotary()) }),
    headDim,
    biases("attention_bias", "attn_q", "attn_k", "attn_v"),
    plain("attention_out_bias"),
    plain("mlp_bias"),
  ],
};
