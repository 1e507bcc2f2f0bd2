import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { always, count, neverTied } from "../../gguf/form/metadata-fields.ts";
import { putRotary, rotarySection } from "../../gguf/form/rotary-metadata.ts";
import {
  gatedFields,
  gatedParts,
  gatedTensors,
  headDim,
  headSizeOfModel,
  readWholeRotary,
  withoutFactors,
} from "../families/gated.gguf.ts";
import { layerTypesOf, putSliding, slidingBlocks, slidingOfFile } from "../families/windows.gguf.ts";
import { usualRope } from "./gpt-oss.ts";

/** Every how many blocks one sees the whole text, as llama.cpp takes it. */
const usualPeriod = 2;

const windows: MetadataField = {
  read: (contents) => ({
    sliding_window: contents.metadata.count("attention.sliding_window"),
    layer_types: layerTypesOf(slidingOfFile(contents, usualPeriod)),
  }),
  write: (model) => {
    model.counts({ "attention.sliding_window": model.number("sliding_window") });
    putSliding(model, slidingBlocks(model, usualPeriod), usualPeriod);
  },
};

/** Files do not say whether the bounds of yarn are whole numbers: in the models that there are, they are not. */
const rotary: MetadataField = {
  read: (contents) => {
    const section = readWholeRotary(contents);
    return { rope_parameters: { ...section, ...(section["rope_type"] === "yarn" && { truncate: false }) } };
  },
  write: (model) => {
    const found = rotarySection(model);
    const { truncate, ...section } = Object.keys(found).length > 0 ? found : usualRope;
    const isYarn = (section["rope_type"] ?? section["type"]) === "yarn";
    if (isYarn && truncate !== false && truncate !== null) model.refuse("rope_parameters", "it is yarn without truncate false");
    putRotary(model, section, headSizeOfModel(model));
  },
};

/** A number that llama.cpp takes of every model. */
const fixed = (key: string, value: number): MetadataField => ({
  ...always({ [key]: value }, (model) => {
    if (model.number(key) !== value) model.refuse(key, `it is ${model.number(key)} in place of ${value}`);
  }),
  float: key,
});

export const gptOss: GgufForm = {
  className: "GptOssForCausalLM",
  prefix: "model.",
  tensors: gatedTensors(
    [
      ["attn_norm", "input_layernorm"],
      ["post_attention_norm", "post_attention_layernorm"],
    ],
    gatedParts.attention,
    [
      ["attn_sinks", "self_attn.sinks{bare}"],
      ["ffn_gate_inp", "mlp.router"],
      ["ffn_gate_exps", "mlp.experts.{expert}.gate_proj"],
      ["ffn_down_exps", "mlp.experts.{expert}.down_proj"],
      ["ffn_up_exps", "mlp.experts.{expert}.up_proj"],
    ],
  ),
  fields: [
    // the activation of config.json is not read: that of the experts is always the same
    ...gatedFields({ activation: always({ hidden_act: "silu" }), rotary: withoutFactors(rotary), tied: neverTied }),
    headDim,
    count("expert_count", "num_local_experts"),
    count("expert_used_count", "num_experts_per_tok"),
    {
      read: ({ metadata }) => {
        metadata.find("expert_feed_forward_length");
        return {};
      },
      write: (model) => model.counts({ expert_feed_forward_length: model.number("intermediate_size") }),
    },
    fixed("swiglu_alpha", 1.702),
    fixed("swiglu_limit", 7),
    always({ attention_bias: true }, (model) => {
      if (model.find("attention_bias") !== true) model.refuse("attention_bias", "it is false");
    }),
    windows,
  ],
};
