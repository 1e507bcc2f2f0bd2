import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { sizeOrder } from "../../gguf/form/metadata-fields.ts";
import { rotaryConfig } from "../../gguf/form/rotary-config.ts";
import { putRotary, rotarySection, turnedShare } from "../../gguf/form/rotary-metadata.ts";
import { gatedFields, gatedParts, gatedTensors, headSizeOfFile, headSizeOfModel, readHeadSize } from "../families/gated.gguf.ts";

const headSize: MetadataField = {
  read: (contents) => {
    const { headSize: found, usual } = headSizeOfFile(contents);
    const read = readHeadSize(contents);
    if (found !== usual) contents.metadata.refuse("attention.key_length", `heads of this type have ${usual} elements`);
    return read;
  },
};

/** A share of each head may turn, and the factors of long and of short texts are in the file. */
const rotary: MetadataField = {
  read: (contents) => {
    const { metadata } = contents;
    const { headSize: all } = headSizeOfFile(contents);
    const turned = metadata.findCount("rope.dimension_count") ?? all;
    return {
      rope_parameters: {
        ...rotaryConfig(contents, metadata.count("context_length")),
        ...(turned !== all && { partial_rotary_factor: turned / all }),
      },
    };
  },
  write: (model) => {
    const turned = Math.floor(headSizeOfModel(model) * (turnedShare(model) ?? 1));
    model.counts({ "rope.dimension_count": turned });
    putRotary(model, rotarySection(model), turned, true);
  },
};

const trainedContext: MetadataField = {
  read: ({ metadata }) => {
    const trained = metadata.findCount("rope.scaling.original_context_length");
    return trained === undefined ? {} : { original_max_position_embeddings: trained };
  },
  write: (model) => model.counts({ "rope.scaling.original_context_length": model.number("original_max_position_embeddings") }),
};

/** 0 stands for none. */
const window: MetadataField = {
  read: ({ metadata }) => ({ sliding_window: metadata.findCount("attention.sliding_window") || null }),
  write: (model) => model.counts({ "attention.sliding_window": model.findNumber("sliding_window") ?? 0 }),
};

export const phi3: GgufForm = {
  className: "Phi3ForCausalLM",
  prefix: "model.",
  tensors: gatedTensors(gatedParts.norms, [
    ["attn_qkv", "self_attn.qkv_proj"],
    ["attn_output", "self_attn.o_proj"],
    // gate and up in one
    ["ffn_up", "mlp.gate_up_proj"],
    ["ffn_down", "mlp.down_proj"],
  ]),
  fields: [...gatedFields({ headSize, rotary }), trainedContext, window],
  firstMetadata: [...sizeOrder, "rope.scaling.original_context_length"],
};
