import type { GgufForm } from "../../gguf/form/gguf-form.ts";
import { always, biases, vocabulary } from "../../gguf/form/metadata-fields.ts";
import {
  attentionLayers,
  gatedFields,
  gatedParts,
  gatedTensors,
  mlpLayers,
  noteWindow,
  pairedHeads,
  wholeRotary,
  withoutFactors,
} from "../families/gated.gguf.ts";

/** As llama.cpp has it for every file. */
const interval = 4;

const stillBlocks = always({ no_rope_layer_interval: interval }, (model) => {
  const marks = model.find("no_rope_layers");
  const isStill = (block: number): boolean =>
    Array.isArray(marks) ? marks[block] === 0 : (block + 1) % model.number("no_rope_layer_interval") === 0;
  for (let block = 0; block < model.number("num_hidden_layers"); block += 1) {
    if (isStill(block) === ((block + 1) % interval === 0)) continue;
    model.refuse(
      Array.isArray(marks) ? "no_rope_layers" : "no_rope_layer_interval",
      "not every fourth block is without positions",
    );
  }
});

export const smollm3: GgufForm = {
  className: "SmolLM3ForCausalLM",
  prefix: "model.",
  tensors: gatedTensors(gatedParts.norms, gatedParts.attention, gatedParts.mlp),
  views: pairedHeads,
  fields: [
    ...gatedFields({ vocabulary: vocabulary(true), rotary: withoutFactors(wholeRotary(true)) }),
    biases("attention_bias", ...attentionLayers),
    biases("mlp_bias", ...mlpLayers),
    stillBlocks,
    always({ use_sliding_window: false, sliding_window: null }, (model) => {
      if (model.find("use_sliding_window") === true) noteWindow(model);
    }),
  ],
};
