import type { GgufForm } from "../../gguf/form/gguf-form.ts";
import { always } from "../../gguf/form/metadata-fields.ts";
import {
  gatedFields,
  gatedParts,
  gatedTensors,
  headDim,
  wholeRotary,
  withoutBiases,
  withoutFactors,
} from "../families/gated.gguf.ts";
import { qwenExpertFields, qwenExperts } from "./qwen2-moe.gguf.ts";
import { noWindow } from "./qwen2.gguf.ts";

export const qwen3Moe: GgufForm = {
  className: "Qwen3MoeForCausalLM",
  prefix: "model.",
  tensors: gatedTensors(gatedParts.norms, gatedParts.attention, gatedParts.headNorms, qwenExperts),
  fields: [
    ...gatedFields({ rotary: withoutFactors(wholeRotary()) }),
    headDim,
    ...qwenExpertFields,
    withoutBiases("attention_bias"),
    always({ norm_topk_prob: true }, (model) => {
      if (model.find("norm_topk_prob") !== true)
        model.refuse("norm_topk_prob", "shares of the chosen experts are left as they are");
    }),
    noWindow,
  ],
};
