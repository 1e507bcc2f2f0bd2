import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { vocabulary } from "../../gguf/form/metadata-fields.ts";
import { putRotary, rotarySection } from "../../gguf/form/rotary-metadata.ts";
import { gatedFields, headDim, headSizeOfModel, noteWindow, readWholeRotary } from "../families/gated.gguf.ts";
import { llama } from "./llama.gguf.ts";
import { usualRope } from "./ministral3.ts";

const growthKey = "attention.temperature_scale";
const weightKey = "rope.scaling.yarn_log_multiplier";

/** Positions, and how queries grow with them. Files of other Mistrals do not have the growth: it is 0 then. */
const rotary: MetadataField = {
  read: (contents) => {
    const { metadata } = contents;
    const weight = metadata.findNumber(weightKey) ?? 0;
    return {
      rope_parameters: {
        original_max_position_embeddings: metadata.count("context_length"),
        ...readWholeRotary(contents),
        ...(weight !== 0 && { mscale: 1, mscale_all_dim: weight }),
        llama_4_scaling_beta: metadata.findNumber(growthKey) ?? 0,
      },
    };
  },
  write: (model) => {
    const found = rotarySection(model);
    const { mscale, mscale_all_dim: weight, ...section } = Object.keys(found).length > 0 ? found : usualRope;
    const growth = Number(section["llama_4_scaling_beta"]);
    if (growth !== 0 && section["rope_type"] !== "yarn") {
      model.refuse("rope_parameters", "queries grow with positions that are not scaled by yarn");
    }
    const isWeighed = Boolean(mscale) && Boolean(weight);
    if (isWeighed && mscale !== 1) model.refuse("rope_parameters", `it has mscale ${String(mscale)}`);
    const headSize = headSizeOfModel(model);
    model.counts({ "rope.dimension_count": headSize });
    putRotary(model, section, headSize);
    model.numbers({ ...(isWeighed && { [weightKey]: Number(weight) }), [growthKey]: growth });
  },
};

export const ministral3: GgufForm = {
  ...llama,
  className: "Ministral3ForCausalLM",
  fields: [...gatedFields({ vocabulary: vocabulary(true), rotary }), headDim, { write: noteWindow }],
  isOf: () => true,
};
