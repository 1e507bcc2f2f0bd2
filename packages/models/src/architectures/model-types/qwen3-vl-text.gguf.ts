import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { rotarySection } from "../../gguf/form/rotary-metadata.ts";
import { qwen3 } from "./qwen3.gguf.ts";

/** The pairs of a head that turn by each part of a position, where the configuration does not say it. */
const usualSections = [24, 20, 20];

/** The blocks behind which states of images are added, where the configuration does not say it. */
const usualIndexes = [8, 16, 24];

/** What llama.cpp needs for images. Text does not depend on it. */
const images: MetadataField = {
  write: (model) => {
    const { mrope_section: sections = usualSections } = rotarySection(model);
    if (!Array.isArray(sections) || sections.length > 4)
      return model.refuse("rope_parameters", "mrope_section is no list of at most 4 sizes");
    const { deepstack_visual_indexes: indexes = usualIndexes } = model.section("vision_config");
    if (!Array.isArray(indexes)) return model.refuse("vision_config", "deepstack_visual_indexes is no list");
    model.put("rope.dimension_sections", { type: "array", of: "i32", value: [...sections, 0, 0, 0].slice(0, 4).map(Number) });
    model.counts({ n_deepstack_layers: indexes.length });
  },
};

/** Such files are not read: transformers has no class for the language model alone. */
export const qwen3VlText: GgufForm = { ...qwen3, fields: [...qwen3.fields, images] };
