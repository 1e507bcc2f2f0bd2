import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { number, onlyTied, vocabulary } from "../../gguf/form/metadata-fields.ts";
import type { ModelSettings } from "../../gguf/form/model-settings.ts";
import { putRotary, rotarySection } from "../../gguf/form/rotary-metadata.ts";
import {
  gatedFields,
  gatedParts,
  gatedTensors,
  headSizeOfModel,
  readWholeRotary,
  usualHeads,
  withoutBiases,
} from "../families/gated.gguf.ts";

/** Attention and MLP read one norm. */
export const cohereTensors = gatedTensors([["attn_norm", "input_layernorm"]], gatedParts.attention, gatedParts.mlp);

/** Positions that are not scaled. @param isStated whether the converter writes how many elements of a head turn */
export const plainRotary = (isStated: boolean): MetadataField => ({
  read: (contents) => ({ rope_parameters: readWholeRotary(contents) }),
  write: (model: ModelSettings) => {
    const section = rotarySection(model);
    const type = section["rope_type"] ?? section["type"] ?? "default";
    if (type !== "default") model.refuse("rope_parameters", `positions are scaled by ${JSON.stringify(type)}`);
    const headSize = headSizeOfModel(model);
    if (isStated) model.counts({ "rope.dimension_count": headSize });
    putRotary(model, section, headSize);
    model.put("rope.scaling.type", { type: "string", value: "none" });
  },
});

const epsilon = number("attention.layer_norm_epsilon", "layer_norm_eps");

/** What both generations have. */
export const cohereFields = (isNewer: boolean): readonly MetadataField[] => [
  ...gatedFields({
    vocabulary: vocabulary(isNewer),
    headSize: usualHeads(isNewer),
    epsilon,
    rotary: plainRotary(isNewer),
    tied: onlyTied,
  }),
  withoutBiases("attention_bias"),
  number("logit_scale", "logit_scale"),
];

export const cohere: GgufForm = {
  className: "CohereForCausalLM",
  prefix: "model.",
  tensors: cohereTensors,
  fields: cohereFields(false),
};
