import { convolutionWeight, lessOne, negativeRate, untiledColumns, untiledRows } from "../../gguf/dense-tensor.ts";
import type { View } from "../../gguf/dense-tensor.ts";
import type { JsonObject } from "../../folder/json-file.ts";
import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { fullName, isLinearBlock, linearName } from "./qwen3-5.ts";
import { count } from "../../gguf/form/metadata-fields.ts";
import type { ModelSettings } from "../../gguf/form/model-settings.ts";
import { rotaryConfig } from "../../gguf/form/rotary-config.ts";
import { putRotary, rotarySection, turnedShare } from "../../gguf/form/rotary-metadata.ts";
import { within } from "../../gguf/gguf-names.ts";
import type { NamePairs } from "../../gguf/gguf-names.ts";
import {
  gatedFields,
  gatedParts,
  gatedTensors,
  headDim,
  headSizeOfFile,
  headSizeOfModel,
  withoutBiases,
  withoutFactors,
} from "../families/gated.gguf.ts";

const norms: NamePairs = [
  ["attn_norm", "input_layernorm"],
  ["post_attention_norm", "post_attention_layernorm"],
];

const linearAttention: NamePairs = [
  ["attn_qkv", "in_proj_qkv"],
  ["attn_gate", "in_proj_z"],
  ["ssm_alpha", "in_proj_a"],
  ["ssm_beta", "in_proj_b"],
  ["ssm_a{bare}", "A_log{bare}"],
  ["ssm_dt.bias{bare}", "dt_bias{bare}"],
  ["ssm_conv1d", "conv1d"],
  ["ssm_norm", "norm"],
  ["ssm_out", "out_proj"],
];

/** The tensors of Qwen 3.5. @param mlp those of a block's MLP or experts */
export const qwen35Tensors = (mlp: NamePairs): GgufForm["tensors"] =>
  gatedTensors(norms, gatedParts.attention, gatedParts.headNorms, within("", "linear_attn.", linearAttention), mlp);

/**
 * Norms are stored with the 1 that these models add, but for the one of linear attention. llama.cpp has the heads of values that
 * share one of keys apart, not side by side, in every tensor of linear attention with rows or columns of them.
 */
export function qwen35Views(config: JsonObject): Readonly<Record<string, View>> {
  const count = (name: string): number => Number(config[`linear_${name}`]);
  const heads = { keyHeads: count("num_key_heads"), valueHeads: count("num_value_heads") };
  const size = count("value_head_dim");
  const queriesAndKeys = 2 * heads.keyHeads * count("key_head_dim");
  return {
    output_norm: lessOne,
    "blk.{block}.attn_norm": lessOne,
    "blk.{block}.post_attention_norm": lessOne,
    "blk.{block}.attn_q_norm": lessOne,
    "blk.{block}.attn_k_norm": lessOne,
    "blk.{block}.attn_qkv": untiledRows(heads, size, queriesAndKeys),
    "blk.{block}.attn_gate": untiledRows(heads, size),
    "blk.{block}.ssm_alpha": untiledRows(heads, 1),
    "blk.{block}.ssm_beta": untiledRows(heads, 1),
    "blk.{block}.ssm_a": untiledRows(heads, 1, 0, negativeRate),
    "blk.{block}.ssm_dt": untiledRows(heads, 1),
    "blk.{block}.ssm_conv1d": untiledRows(heads, size, queriesAndKeys, convolutionWeight),
    "blk.{block}.ssm_out": untiledColumns(heads, size),
  };
}

/** Sizes of linear attention. */
const linearSizes: MetadataField = {
  read: ({ metadata }) => {
    const [size, keyHeads, valueHeads] = ["state_size", "group_count", "time_step_rank"].map((name) =>
      metadata.count(`ssm.${name}`),
    ) as [number, number, number];
    if (metadata.count("ssm.inner_size") !== size * valueHeads)
      metadata.broken("ssm.inner_size", `${size * valueHeads}, the elements of all heads`);
    if (valueHeads % keyHeads !== 0)
      metadata.broken("ssm.time_step_rank", `a multiple of ssm.group_count ${keyHeads}, heads of values for each of keys`);
    return {
      linear_conv_kernel_dim: metadata.count("ssm.conv_kernel"),
      linear_key_head_dim: size,
      linear_value_head_dim: size,
      linear_num_key_heads: keyHeads,
      linear_num_value_heads: valueHeads,
    };
  },
  write: (model) => {
    const [size, valueSize] = [model.number("linear_key_head_dim"), model.number("linear_value_head_dim")];
    const [keyHeads, valueHeads] = [model.number("linear_num_key_heads"), model.number("linear_num_value_heads")];
    if (valueSize !== size) model.refuse("linear_value_head_dim", `it is ${valueSize}, and heads of keys have ${size} elements`);
    model.counts({
      "ssm.conv_kernel": model.number("linear_conv_kernel_dim"),
      "ssm.state_size": size,
      "ssm.group_count": keyHeads,
      "ssm.time_step_rank": valueHeads,
      "ssm.inner_size": size * valueHeads,
    });
  },
};

/** Which blocks have linear attention. Older files name no blocks, and older versions of llama.cpp read the interval alone. */
const blockTypes: MetadataField = {
  read: ({ metadata }) => {
    const [blocks, interval] = [metadata.count("block_count"), metadata.findCount("full_attention_interval") ?? 4];
    const listed = metadata.find("attention.recurrent_layers");
    const isLinear = (block: number): boolean =>
      typeof listed === "object" ? listed[block] === true : isLinearBlock(block, interval);
    return { layer_types: Array.from({ length: blocks }, (_, block) => (isLinear(block) ? linearName : fullName)) };
  },
  write: (model) => {
    const interval = model.number("full_attention_interval");
    const types = model.find("layer_types");
    const value = Array.from({ length: model.number("num_hidden_layers") }, (_, block) =>
      Array.isArray(types) ? types[block] === linearName : isLinearBlock(block, interval),
    );
    model.put("attention.recurrent_layers", { type: "array", of: "bool", value });
    model.counts({ full_attention_interval: interval });
  },
};

/** Layers that predict further tokens are blocks of such a file, behind the others. */
const noFurtherTokens: MetadataField = {
  read: ({ metadata }) => {
    const further = metadata.findCount("nextn_predict_layers") ?? 0;
    if (further > 0)
      metadata.refuse("nextn_predict_layers", "only 0 is: convert the model with --no-mtp, or take the folder of safetensors");
    return {};
  },
};

/** The pairs of a head that turn by each part of a position, where the configuration does not say it. */
const usualSections = [11, 11, 10];

/** Parts of positions, which are equal in text. @throws {FailedPreconditionError} where llama.cpp would not turn a pair, or ends */
function putSections(model: ModelSettings, pairs: number): void {
  const { mrope_section: found = usualSections } = rotarySection(model);
  if (!Array.isArray(found) || found.length !== 3) return model.refuse("rope_parameters", "mrope_section is no list of 3 sizes");
  const sections = found.map(Number);
  const all = sections.reduce((sum, size) => sum + size, 0);
  if (all > headSizeOfModel(model))
    model.refuse("rope_parameters", `mrope_section has ${all} pairs, more than a head has elements`);
  for (let pair = 0; pair < pairs; pair += 1) {
    const place = pair % all;
    if (place >= 3 * (sections[place % 3] ?? 0))
      model.refuse("rope_parameters", `pair ${pair} is in no part of mrope_section ${JSON.stringify(found)}`);
  }
  model.put("rope.dimension_sections", { type: "array", of: "i32", value: [...sections, 0] });
}

const rotary: MetadataField = {
  read: (contents) => {
    const { metadata } = contents;
    const { headSize } = headSizeOfFile(contents);
    const sections = metadata.find("rope.dimension_sections");
    return {
      rope_parameters: {
        ...rotaryConfig(contents, metadata.count("context_length")),
        partial_rotary_factor: (metadata.findCount("rope.dimension_count") ?? headSize) / headSize,
        ...(typeof sections === "object" && { mrope_section: sections.slice(0, 3).map(Number), mrope_interleaved: true }),
      },
    };
  },
  write: (model) => {
    const turned = Math.floor(headSizeOfModel(model) * (turnedShare(model) ?? 1));
    putSections(model, turned / 2);
    model.counts({ "rope.dimension_count": turned });
    putRotary(model, rotarySection(model), turned);
  },
};

/** What Qwen 3.5 has with experts and without. @param width of the MLP */
export const qwen35Fields = (width: MetadataField): readonly MetadataField[] => [
  linearSizes,
  ...gatedFields({ width, rotary: withoutFactors(rotary) }),
  headDim,
  blockTypes,
  noFurtherTokens,
  withoutBiases("attention_bias"),
];

export const qwen35: GgufForm = {
  className: "Qwen3_5ForCausalLM",
  prefix: "model.",
  tensors: qwen35Tensors(gatedParts.mlp),
  views: qwen35Views,
  fields: qwen35Fields(count("feed_forward_length", "intermediate_size")),
};
