import { transposed } from "../../gguf/dense-tensor.ts";
import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { activation, count, equalHeads, number, tied, vocabulary } from "../../gguf/form/metadata-fields.ts";
import { sideOf } from "../../gguf/form/gguf-form.ts";
import { within } from "../../gguf/gguf-names.ts";

/** The tensors tell the width of the MLP; a configuration may leave it out. */
const inner: MetadataField = {
  read: (contents) => {
    contents.metadata.find("feed_forward_length");
    return { n_inner: sideOf(contents, "blk.0.ffn_up.weight", 0) };
  },
  write: (model) => model.counts({ feed_forward_length: model.findNumber("n_inner") ?? 4 * model.number("n_embd") }),
};

export const gpt2: GgufForm = {
  className: "GPT2LMHeadModel",
  prefix: "transformer.",
  tensors: new Map([
    ["token_embd", "wte"],
    ["position_embd", "wpe"],
    ...within("blk.{block}.", "h.{block}.", [
      ["attn_norm", "ln_1"],
      ["attn_qkv", "attn.c_attn"],
      ["attn_output", "attn.c_proj"],
      ["ffn_norm", "ln_2"],
      ["ffn_up", "mlp.c_fc"],
      ["ffn_down", "mlp.c_proj"],
    ]),
    ["output_norm", "ln_f"],
    ["output", "lm_head"],
  ]),
  // the checkpoint has its weights as [in, out], the file as [out, in]
  views: () =>
    Object.fromEntries(["attn_qkv", "attn_output", "ffn_up", "ffn_down"].map((layer) => [`blk.{block}.${layer}`, transposed])),
  fields: [
    vocabulary(),
    count("context_length", "n_positions"),
    count("embedding_length", "n_embd"),
    count("block_count", "n_layer"),
    equalHeads("n_head"),
    inner,
    activation("activation_function", "gelu_new", "gelu_pytorch_tanh"),
    number("attention.layer_norm_epsilon", "layer_norm_epsilon"),
    tied,
  ],
  firstMetadata: ["context_length", "embedding_length", "feed_forward_length"],
};
