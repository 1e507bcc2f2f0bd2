import type { GgufForm } from "../../gguf/form/gguf-form.ts";
import { always } from "../../gguf/form/metadata-fields.ts";
import { gatedFields, gatedParts, gatedTensors, noteWindow } from "../families/gated.gguf.ts";

/** The converter leaves out windows. */
export const noWindow = always({ use_sliding_window: false, sliding_window: null }, (model) => {
  if (model.find("use_sliding_window") === true) noteWindow(model);
});

export const qwen2: GgufForm = {
  className: "Qwen2ForCausalLM",
  prefix: "model.",
  tensors: gatedTensors(gatedParts.norms, gatedParts.attention, gatedParts.mlp),
  fields: [...gatedFields(), noWindow],
};
