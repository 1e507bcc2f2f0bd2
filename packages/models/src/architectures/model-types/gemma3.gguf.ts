import { isObject } from "@mbs/contracts";
import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { always, bound, rotaryOrder, sizeOrder } from "../../gguf/form/metadata-fields.ts";
import { putRotary } from "../../gguf/form/rotary-metadata.ts";
import { gatedParts, gatedTensors, headSizeOfModel, readWholeRotary } from "../families/gated.gguf.ts";
import { layerTypesOf, putSliding, slidingBlocks, slidingOfFile } from "../families/windows.gguf.ts";
import { gemmaFields, gemmaViews } from "./gemma2.gguf.ts";

/** Every how many blocks one sees the whole text, where the file does not say it, as llama.cpp takes it. */
const usualPeriod = 6;

/** Files without windows have 0, or no such key. */
const windows: MetadataField = {
  read: (contents) => {
    const window = contents.metadata.findCount("attention.sliding_window") ?? 0;
    return {
      sliding_window: window === 0 ? 4096 : window,
      layer_types: layerTypesOf(slidingOfFile(contents, usualPeriod).map((local) => local && window > 0)),
    };
  },
  write: (model) => {
    const sliding = slidingBlocks(model, model.number("sliding_window_pattern"));
    if (!sliding.includes(true)) return;
    model.counts({ "attention.sliding_window": model.number("sliding_window") });
    putSliding(model, sliding, usualPeriod);
  },
};

/** Global blocks alone have scaled positions. */
const rotaries: MetadataField = {
  read: (contents) => ({
    rope_parameters: {
      full_attention: readWholeRotary(contents),
      sliding_attention: { rope_type: "default", rope_theta: contents.metadata.findNumber("rope.freq_base_swa") ?? 10_000 },
    },
  }),
  write: (model) => {
    const parameters = model.section("rope_parameters");
    const [full, local] = ["full_attention", "sliding_attention"].map((kind) => {
      const own = parameters[kind];
      return isObject(own) ? own : {};
    });
    putRotary(
      model,
      { rope_theta: model.findNumber("rope_theta"), ...full, ...model.section("rope_scaling") },
      headSizeOfModel(model),
    );
    if (!slidingBlocks(model, model.number("sliding_window_pattern")).includes(true)) return;
    const localBase = local?.["rope_theta"];
    model.numbers({
      "rope.freq_base_swa": typeof localBase === "number" ? localBase : model.findNumber("rope_local_base_freq"),
    });
    if (typeof local?.["rope_type"] === "string" && local["rope_type"] !== "default") {
      model.refuse("rope_parameters", "positions of blocks with a window are scaled");
    }
  },
};

/** The text model. */
export const gemma3: GgufForm = {
  className: "Gemma3ForCausalLM",
  prefix: "model.",
  tensors: gatedTensors(gatedParts.outerNorms, gatedParts.attention, gatedParts.headNorms, gatedParts.mlp),
  views: gemmaViews,
  fields: [
    ...gemmaFields(62, {}),
    bound("final_logit_softcapping", "final_logit_softcapping"),
    always({ attn_logit_softcapping: null }),
    windows,
    rotaries,
  ],
  firstMetadata: [...sizeOrder, ...rotaryOrder, "final_logit_softcapping", "rope.freq_base_swa"],
};
