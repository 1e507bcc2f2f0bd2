import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { vocabulary } from "../../gguf/form/metadata-fields.ts";
import { gatedFields, gatedParts, gatedTensors, usualHeads } from "../families/gated.gguf.ts";
import { layerTypesOf, putSliding, slidingBlocks, slidingOfFile } from "../families/windows.gguf.ts";

/** Blocks of the one model that llama.cpp gives windows to, and what it takes where a file does not say it. */
const blocksOfLargest = 64;
const usualPeriod = 4;
const usualWindow = 4096;

const windows: MetadataField = {
  read: (contents) => {
    const { metadata } = contents;
    const window = metadata.findCount("attention.sliding_window") ?? usualWindow;
    const sliding = slidingOfFile(contents, usualPeriod);
    return metadata.count("block_count") === blocksOfLargest
      ? { sliding_window: window, layer_types: layerTypesOf(sliding) }
      : { sliding_window: null, layer_types: layerTypesOf(sliding.map(() => false)) };
  },
  write: (model) => {
    const window = model.findNumber("sliding_window");
    const isLargest = model.number("num_hidden_layers") === blocksOfLargest;
    if (isLargest && window === undefined) model.refuse("sliding_window", "it is null in a model of 64 blocks");
    if (!isLargest && window !== undefined) model.refuse("sliding_window", "it is there in a model of other than 64 blocks");
    if (window === undefined) return;
    model.counts({ "attention.sliding_window": window });
    putSliding(model, slidingBlocks(model, Number(model.find("sliding_window_pattern"))));
  },
};

/** Names that OLMo 2 has too. */
export const normsAfterNames = [
  ["post_attention_norm", "post_attention_layernorm"],
  ["post_ffw_norm", "post_feedforward_layernorm"],
] as const;

export const exaone4: GgufForm = {
  className: "Exaone4ForCausalLM",
  prefix: "model.",
  tensors: gatedTensors(normsAfterNames, gatedParts.attention, gatedParts.headNorms, gatedParts.mlp),
  fields: [...gatedFields({ vocabulary: vocabulary(true), headSize: usualHeads(true) }), windows],
};
