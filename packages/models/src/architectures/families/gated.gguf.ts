import { unpaired } from "../../gguf/dense-tensor.ts";
import type { View } from "../../gguf/dense-tensor.ts";
import type { JsonObject } from "../../folder/json-file.ts";
import type { GgufContents, GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { activation, always, count, number, tied, vocabulary } from "../../gguf/form/metadata-fields.ts";
import type { ModelSettings } from "../../gguf/form/model-settings.ts";
import { rotaryConfig } from "../../gguf/form/rotary-config.ts";
import { putRotary, rotarySection } from "../../gguf/form/rotary-metadata.ts";
import { within } from "../../gguf/gguf-names.ts";
import type { NamePairs } from "../../gguf/gguf-names.ts";

/** What `attention_bias` of config.json is about. */
export const attentionLayers = ["attn_q", "attn_k", "attn_v", "attn_output"] as const;

/** A flag for biases that llama.cpp takes none of. @param key "attention_bias" */
export const withoutBiases = (key: string): MetadataField =>
  always({ [key]: false }, (model) => {
    if (model.find(key) === true) model.refuse(key, "it is true");
  });

/** What `mlp_bias` of config.json is about. */
export const mlpLayers = ["ffn_gate", "ffn_up", "ffn_down"] as const;

/* What GGUF files of the Llama family have in common. */

/** Parts of a block, by the names of their tensors. */
export const gatedParts = {
  norms: [
    ["attn_norm", "input_layernorm"],
    ["ffn_norm", "post_attention_layernorm"],
  ],
  outerNorms: [
    ["attn_norm", "input_layernorm"],
    ["post_attention_norm", "post_attention_layernorm"],
    ["ffn_norm", "pre_feedforward_layernorm"],
    ["post_ffw_norm", "post_feedforward_layernorm"],
  ],
  attention: [
    ["attn_q", "self_attn.q_proj"],
    ["attn_k", "self_attn.k_proj"],
    ["attn_v", "self_attn.v_proj"],
    ["attn_output", "self_attn.o_proj"],
  ],
  headNorms: [
    ["attn_q_norm", "self_attn.q_norm"],
    ["attn_k_norm", "self_attn.k_norm"],
  ],
  mlp: [
    ["ffn_gate", "mlp.gate_proj"],
    ["ffn_up", "mlp.up_proj"],
    ["ffn_down", "mlp.down_proj"],
  ],
} as const satisfies Readonly<Record<string, NamePairs>>;

/** The tensors of a decoder by the parts of its blocks. */
export const gatedTensors = (...parts: readonly NamePairs[]): GgufForm["tensors"] =>
  new Map([
    ["token_embd", "embed_tokens"],
    ...within("blk.{block}.", "layers.{block}.", parts.flat()),
    ["output_norm", "norm"],
    ["output", "lm_head"],
  ]);

/** Queries and keys are stored by rotary pairs. */
export function pairedHeads(config: JsonObject): Readonly<Record<string, View>> {
  const heads = Number(config["num_attention_heads"]);
  return {
    "blk.{block}.attn_q": unpaired(heads),
    "blk.{block}.attn_k": unpaired(Number(config["num_key_value_heads"] ?? heads)),
  };
}

/** Elements of a head, and what they are where neither file nor configuration says it. */
export function headSizeOfFile({ metadata }: GgufContents): { readonly headSize: number; readonly usual: number } {
  const usual = metadata.count("embedding_length") / metadata.count("attention.head_count");
  return { headSize: metadata.findCount("attention.key_length") ?? usual, usual };
}

export const headSizeOfModel = (model: ModelSettings): number =>
  model.findNumber("head_dim") ?? model.number("hidden_size") / model.number("num_attention_heads");

const kvHeads: MetadataField = {
  read: ({ metadata }) => ({
    num_key_value_heads: metadata.findCount("attention.head_count_kv") ?? metadata.count("attention.head_count"),
  }),
  write: (model) =>
    model.counts({ "attention.head_count_kv": model.findNumber("num_key_value_heads") ?? model.number("num_attention_heads") }),
};

/** The size of a head for config.json, where it is not the usual one. Values must have as many elements as keys. */
export function readHeadSize(contents: GgufContents): JsonObject {
  const { metadata } = contents;
  const { headSize, usual } = headSizeOfFile(contents);
  const valueSize = metadata.findCount("attention.value_length");
  if (valueSize !== undefined && valueSize !== headSize) {
    metadata.refuse("attention.value_length", `keys have ${headSize} elements, and values must have as many`);
  }
  if (metadata.findFlag("attention.causal") === false) metadata.refuse("attention.causal", "only true is");
  return headSize === usual ? {} : { head_dim: headSize };
}

const headSize: MetadataField = {
  read: readHeadSize,
  write: (model) => {
    const size = headSizeOfModel(model);
    model.counts({ "attention.key_length": size, "attention.value_length": size });
  },
};

/** llama.cpp takes heads of the usual size alone. @param isWritten whether the converter writes it */
export const usualHeads = (isWritten: boolean): MetadataField => ({
  read: readHeadSize,
  write: (model) => {
    const [size, usual] = [headSizeOfModel(model), model.number("hidden_size") / model.number("num_attention_heads")];
    if (size !== usual) model.refuse("head_dim", `it is ${size} in place of hidden_size / num_attention_heads = ${usual}`);
    if (isWritten) model.counts({ "attention.key_length": size, "attention.value_length": size });
  },
});

/** The size of a head, of a type whose config.json always has it. */
export const headDim: MetadataField = { read: (contents) => ({ head_dim: headSizeOfFile(contents).headSize }) };

/** `rope_parameters` of a file in which all elements of a head turn. @throws {FailedPreconditionError} where a part of them does */
export function readWholeRotary(contents: GgufContents): JsonObject {
  const { metadata } = contents;
  const { headSize } = headSizeOfFile(contents);
  const turned = metadata.findCount("rope.dimension_count");
  if (turned !== undefined && turned !== headSize) {
    metadata.refuse("rope.dimension_count", `all ${headSize} elements of a head must turn`);
  }
  return rotaryConfig(contents, metadata.count("context_length"));
}

/** Rotary positions by which all elements of a head turn. @param isStated whether the converter writes how many these are */
export const wholeRotary = (isStated = false): MetadataField => ({
  read: (contents) => ({ rope_parameters: readWholeRotary(contents) }),
  write: (model) => {
    const headSize = headSizeOfModel(model);
    if (isStated) model.counts({ "rope.dimension_count": headSize });
    putRotary(model, rotarySection(model), headSize);
  },
});

/** Rotary positions of an architecture for which llama.cpp takes no factors for each pair, which scale Llama 3's positions. */
export const withoutFactors = (rotary: MetadataField): MetadataField => ({
  ...rotary,
  write: (model) => {
    rotary.write?.(model);
    const section = rotarySection(model);
    if (model.vectors.size > 0) {
      model.refuse("rope_parameters", `positions are scaled by ${JSON.stringify(section["rope_type"] ?? section["type"])}`);
    }
  },
});

interface GatedParts {
  /** `vocabulary(true)` where the converter writes its size. */
  readonly vocabulary?: MetadataField;
  /** `{ read: readHeadSize }` where the converter does not write it. */
  readonly headSize?: MetadataField;
  /** Of the MLP; `{}` where experts have widths of their own. */
  readonly width?: MetadataField;
  readonly activation?: MetadataField;
  readonly epsilon?: MetadataField;
  readonly rotary?: MetadataField;
  /** `onlyTied` or `neverTied` where llama.cpp has it one way alone. */
  readonly tied?: MetadataField;
}

/** What all types have; those that differ give their own fields. */
export const gatedFields = (parts: GatedParts = {}): readonly MetadataField[] => [
  parts.vocabulary ?? vocabulary(),
  count("embedding_length", "hidden_size"),
  parts.width ?? count("feed_forward_length", "intermediate_size"),
  count("block_count", "num_hidden_layers"),
  count("attention.head_count", "num_attention_heads"),
  kvHeads,
  parts.headSize ?? headSize,
  parts.activation ?? activation("hidden_act", "silu", "swish"),
  count("context_length", "max_position_embeddings"),
  parts.epsilon ?? number("attention.layer_norm_rms_epsilon", "rms_norm_eps"),
  parts.rotary ?? wholeRotary(),
  parts.tied ?? tied,
];

/** Windows that files of the architecture do not hold: longer texts give other results. */
export function noteWindow(model: ModelSettings): void {
  const window = model.findNumber("sliding_window");
  if (window === undefined || window >= model.number("max_position_embeddings")) return;
  model.notes.push(
    `GGUF files of architecture ${model.architecture} say nothing of a sliding window: texts of more than ${window} tokens give other results in llama.cpp`,
  );
}
