import type { GgufForm } from "../../gguf/form/gguf-form.ts";
import { biases } from "../../gguf/form/metadata-fields.ts";
import {
  gatedFields,
  gatedParts,
  gatedTensors,
  headDim,
  wholeRotary,
  withoutBiases,
  withoutFactors,
} from "../families/gated.gguf.ts";

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
    withoutBiases("attention_out_bias"),
    withoutBiases("mlp_bias"),
  ],
};
