import type { GgufForm } from "../../gguf/form/gguf-form.ts";
import { biases, redundant, vocabulary } from "../../gguf/form/metadata-fields.ts";
import {
  attentionLayers,
  gatedFields,
  gatedParts,
  gatedTensors,
  mlpLayers,
  pairedHeads,
  wholeRotary,
} from "../families/gated.gguf.ts";

/** What the converter writes for all types whose files are of this architecture. */
export const llamaFields = gatedFields({ vocabulary: vocabulary(true), rotary: wholeRotary(true) });

export const llama: GgufForm = {
  className: "LlamaForCausalLM",
  prefix: "model.",
  tensors: gatedTensors(gatedParts.norms, gatedParts.attention, gatedParts.mlp),
  views: pairedHeads,
  fields: [
    ...llamaFields,
    biases("attention_bias", ...attentionLayers),
    biases("mlp_bias", ...mlpLayers),
    redundant("expert_used_count"),
  ],
  isOf: ({ metadata }) => (metadata.findCount("expert_count") ?? 0) === 0,
};
