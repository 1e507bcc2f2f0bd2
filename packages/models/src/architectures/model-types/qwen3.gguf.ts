import type { GgufForm } from "../../gguf/form/gguf-form.ts";
import { biases } from "../../gguf/form/metadata-fields.ts";
import { attentionLayers, gatedFields, gatedParts, gatedTensors, headDim } from "../families/gated.gguf.ts";
import { noWindow } from "./qwen2.gguf.ts";

export const qwen3: GgufForm = {
  className: "Qwen3ForCausalLM",
  prefix: "model.",
  tensors: gatedTensors(gatedParts.norms, gatedParts.attention, gatedParts.headNorms, gatedParts.mlp),
  fields: [...gatedFields(), headDim, biases("attention_bias", ...attentionLayers), noWindow],
};
