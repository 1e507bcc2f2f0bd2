import { stretchedBase } from "../../config/rope-types.ts";
import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { putRotary, rotarySection } from "../../gguf/form/rotary-metadata.ts";
import {
  gatedFields,
  gatedParts,
  gatedTensors,
  headDim,
  headSizeOfModel,
  wholeRotary,
  withoutBiases,
  withoutFactors,
} from "../families/gated.gguf.ts";

const plain = withoutFactors(wholeRotary());

/** A file has the longer base itself, and says that nothing else is scaled. */
const rotary: MetadataField = {
  ...plain,
  write: (model) => {
    const section = rotarySection(model);
    const type = section["rope_type"] ?? section["type"] ?? "default";
    if (type !== "dynamic" && type !== "default") return plain.write?.(model);
    const size = headSizeOfModel(model);
    const base = typeof section["rope_theta"] === "number" ? section["rope_theta"] : model.number("rope_theta");
    putRotary(model, { rope_theta: type === "dynamic" ? stretchedBase(base, Number(section["alpha"]), size) : base }, size);
    model.put("rope.scaling.type", { type: "string", value: "none" });
    model.numbers({ "rope.scaling.factor": 1 });
    model.counts({ "rope.scaling.original_context_length": model.number("max_position_embeddings") });
  },
};

const headNorms = [
  ["attn_q_norm", "self_attn.query_layernorm"],
  ["attn_k_norm", "self_attn.key_layernorm"],
] as const;

export const hunyuanV1Dense: GgufForm = {
  className: "HunYuanDenseV1ForCausalLM",
  prefix: "model.",
  tensors: gatedTensors(gatedParts.norms, gatedParts.attention, headNorms, gatedParts.mlp),
  fields: [...gatedFields({ rotary }), headDim, withoutBiases("attention_bias")],
};
