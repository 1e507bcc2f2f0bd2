import { convolutionWeight } from "../../gguf/dense-tensor.ts";
import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { count, number, tied, vocabulary } from "../../gguf/form/metadata-fields.ts";
import type { ModelSettings } from "../../gguf/form/model-settings.ts";
import { within } from "../../gguf/gguf-names.ts";
import { usualHeads, wholeRotary, withoutBiases, withoutFactors } from "../families/gated.gguf.ts";
import { attendingBlocks, mlpWidth } from "./lfm2.ts";

/** The settings as the type's keys declare them. */
const settingsOf = ({ settings }: ModelSettings) =>
  settings as Parameters<typeof mlpWidth>[0] & Parameters<typeof attendingBlocks>[0];

const width: MetadataField = {
  read: ({ metadata }) => ({ intermediate_size: metadata.count("feed_forward_length"), block_auto_adjust_ff_dim: false }),
  write: (model) => model.counts({ feed_forward_length: mlpWidth(settingsOf(model)) }),
};

/** Key heads of each block: one that has none has a convolution. */
const keyHeads: MetadataField = {
  read: ({ metadata }) => {
    const name = "attention.head_count_kv";
    const blocks = metadata.count("block_count");
    const found = metadata.find(name);
    const heads = typeof found === "object" ? found : Array.from({ length: blocks }, () => metadata.count(name));
    if (heads.length !== blocks) return metadata.broken(name, `a list of ${blocks} whole numbers`);
    const attending = [...new Set(heads.filter((own) => own !== 0))];
    if (attending.length !== 1) return metadata.refuse(name, "at least one block must attend, and all that do must be alike");
    return {
      num_key_value_heads: attending[0],
      layer_types: heads.map((own) => (own === 0 ? "conv" : "full_attention")),
    };
  },
  write: (model) => {
    const heads = model.number("num_key_value_heads");
    const attending = attendingBlocks(settingsOf(model), (remedy) => model.refuse("layer_types", remedy));
    model.put("attention.head_count_kv", {
      type: "array",
      of: "i32",
      value: attending.map((attends) => (attends ? heads : 0)),
    });
  },
};

const convolution: MetadataField = {
  read: ({ metadata }) => ({ conv_L_cache: metadata.count("shortconv.l_cache") }),
  write: (model) => {
    const tokens = model.number("conv_L_cache");
    if (tokens < 2) model.refuse("conv_L_cache", `a convolution sees ${tokens} token`);
    model.counts({ "shortconv.l_cache": tokens });
  },
};

/** LFM2, dense. */
export const lfm2: GgufForm = {
  className: "Lfm2ForCausalLM",
  prefix: "model.",
  tensors: new Map([
    ["token_embd", "embed_tokens"],
    ...within("blk.{block}.", "layers.{block}.", [
      ["attn_norm", "operator_norm"],
      ["ffn_norm", "ffn_norm"],
      ["attn_q", "self_attn.q_proj"],
      ["attn_k", "self_attn.k_proj"],
      ["attn_v", "self_attn.v_proj"],
      ["attn_output", "self_attn.out_proj"],
      ["attn_q_norm", "self_attn.q_layernorm"],
      ["attn_k_norm", "self_attn.k_layernorm"],
      ["shortconv.conv", "conv.conv"],
      ["shortconv.in_proj", "conv.in_proj"],
      ["shortconv.out_proj", "conv.out_proj"],
      ["ffn_gate", "feed_forward.w1"],
      ["ffn_up", "feed_forward.w3"],
      ["ffn_down", "feed_forward.w2"],
    ]),
    ["token_embd_norm", "embedding_norm"],
    ["output", "lm_head"],
  ]),
  views: () => ({ "blk.{block}.shortconv.conv": convolutionWeight }),
  fields: [
    vocabulary(true),
    count("embedding_length", "hidden_size"),
    width,
    count("block_count", "num_hidden_layers"),
    count("attention.head_count", "num_attention_heads"),
    keyHeads,
    usualHeads(false),
    count("context_length", "max_position_embeddings"),
    number("attention.layer_norm_rms_epsilon", "norm_eps"),
    withoutFactors(wholeRotary()),
    convolution,
    withoutBiases("conv_bias"),
    tied,
  ],
};
