import type { GgufForm } from "../../gguf/form/gguf-form.ts";
import { noteWindow } from "../families/gated.gguf.ts";
import { llama, llamaFields } from "./llama.gguf.ts";

/** The converter leaves out the window, so a file is read as a Llama. */
export const mistral: GgufForm = {
  ...llama,
  className: "MistralForCausalLM",
  fields: [...llamaFields, { write: noteWindow }],
  isOf: () => false,
};
