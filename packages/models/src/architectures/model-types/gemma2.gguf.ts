import { lessOne } from "../../gguf/dense-tensor.ts";
import type { View } from "../../gguf/dense-tensor.ts";
import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { activation, bound, biases } from "../../gguf/form/metadata-fields.ts";
import {
  attentionLayers,
  gatedFields,
  gatedParts,
  gatedTensors,
  headDim,
  headSizeOfFile,
  headSizeOfModel,
} from "../families/gated.gguf.ts";
import { slidingBlocks } from "../families/windows.gguf.ts";

/** Norms are stored with the 1 that these models add to their weights. */
export const gemmaViews = (): Readonly<Record<string, View>> =>
  Object.fromEntries([
    ["output_norm", lessOne],
    ...["attn_norm", "attn_q_norm", "attn_k_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"].map((norm) => [
      `blk.{block}.${norm}`,
      lessOne,
    ]),
  ]) as Readonly<Record<string, View>>;

/**
 * llama.cpp takes the scale of queries from the number of blocks: files do not name it.
 *
 * @param blocksOfLargest blocks of the largest model of the generation, which scales by the hidden size in place of a head's
 */
const queryScale = (blocksOfLargest: number): MetadataField => ({
  read: (contents) => {
    const { headSize, usual } = headSizeOfFile(contents);
    const isLargest = contents.metadata.count("block_count") === blocksOfLargest;
    return { query_pre_attn_scalar: isLargest ? Math.floor(usual) : headSize };
  },
  write: (model) => {
    const [hidden, heads] = [model.number("hidden_size"), model.number("num_attention_heads")];
    const isLargest = model.number("num_hidden_layers") === blocksOfLargest;
    const scale = isLargest ? Math.floor(hidden / heads) : headSizeOfModel(model);
    if (model.number("query_pre_attn_scalar") !== scale) model.refuse("query_pre_attn_scalar", `it is not ${scale}`);
  },
});

/** What both generations have. @param rotary default that of the family */
export const gemmaFields = (blocksOfLargest: number, rotary?: MetadataField): readonly MetadataField[] => [
  // the activation has another key, which follows
  ...gatedFields({ activation: {}, ...(rotary && { rotary }) }),
  headDim,
  activation("hidden_activation", "gelu_pytorch_tanh"),
  biases("attention_bias", ...attentionLayers),
  queryScale(blocksOfLargest),
];

const window: MetadataField = {
  read: ({ metadata }) => ({ sliding_window: metadata.findCount("attention.sliding_window") ?? 4096 }),
  write: (model) => {
    if (!slidingBlocks(model, 2).every((sliding, block) => sliding === (block % 2 === 0))) {
      model.refuse("layer_types", "not every second block sees the whole text");
    }
    model.counts({ "attention.sliding_window": model.number("sliding_window") });
  },
};

export const gemma2: GgufForm = {
  className: "Gemma2ForCausalLM",
  prefix: "model.",
  tensors: gatedTensors(gatedParts.outerNorms, gatedParts.attention, gatedParts.mlp),
  views: gemmaViews,
  fields: [
    ...gemmaFields(46),
    bound("final_logit_softcapping", "final_logit_softcapping", 0),
    bound("attn_logit_softcapping", "attn_logit_softcapping", 0),
    window,
  ],
};
