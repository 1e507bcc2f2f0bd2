import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { layerTypesOf, putSliding, slidingBlocks, slidingOfFile } from "../families/windows.gguf.ts";
import { cohereFields, cohereTensors } from "./cohere.gguf.ts";

/** Every how many blocks one sees the whole text, where the file does not say it, as llama.cpp takes it. */
const usualPeriod = 4;

const windows: MetadataField = {
  read: (contents) => ({
    sliding_window: contents.metadata.count("attention.sliding_window"),
    layer_types: layerTypesOf(slidingOfFile(contents, usualPeriod)),
  }),
  write: (model) => {
    model.counts({ "attention.sliding_window": model.number("sliding_window") });
    putSliding(model, slidingBlocks(model, model.number("sliding_window_pattern")), usualPeriod);
  },
};

export const cohere2: GgufForm = {
  className: "Cohere2ForCausalLM",
  prefix: "model.",
  tensors: cohereTensors,
  fields: [...cohereFields(true), windows],
};
