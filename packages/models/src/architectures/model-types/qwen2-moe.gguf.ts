import { oneRow, renamed } from "../../gguf/dense-tensor.ts";
import type { View } from "../../gguf/dense-tensor.ts";
import type { GgufForm, MetadataField } from "../../gguf/form/gguf-form.ts";
import { always, count, biases, side } from "../../gguf/form/metadata-fields.ts";
import type { NamePairs } from "../../gguf/gguf-names.ts";
import { gatedFields, gatedParts, gatedTensors } from "../families/gated.gguf.ts";
import { noWindow } from "./qwen2.gguf.ts";

/** Router and experts of a block of Qwen 2 or 3. */
export const qwenExperts: NamePairs = [
  ["ffn_gate_inp", "mlp.gate"],
  ["ffn_gate_exps", "mlp.experts.{expert}.gate_proj"],
  ["ffn_down_exps", "mlp.experts.{expert}.down_proj"],
  ["ffn_up_exps", "mlp.experts.{expert}.up_proj"],
];

/** The expert that all tokens share, and its gate. */
export const sharedExpert: NamePairs = [
  ["ffn_gate_inp_shexp", "mlp.shared_expert_gate"],
  ["ffn_gate_shexp", "mlp.shared_expert.gate_proj"],
  ["ffn_down_shexp", "mlp.shared_expert.down_proj"],
  ["ffn_up_shexp", "mlp.shared_expert.up_proj"],
];

/** Its gate is a vector in some files. */
export const sharedExpertViews = (): Readonly<Record<string, View>> => ({
  "blk.{block}.ffn_gate_inp_shexp": (source, name) => (source.shape.length === 1 ? oneRow : renamed)(source, name),
});

/** Sizes of experts. Older files leave out the width, which the tensors tell. */
export const qwenExpertSizes: readonly MetadataField[] = [
  count("expert_count", "num_experts"),
  count("expert_used_count", "num_experts_per_tok"),
  side("moe_intermediate_size", "blk.0.ffn_gate_exps.weight", 1, "expert_feed_forward_length"),
];

/** Experts in every block. */
export const qwenExpertFields: readonly MetadataField[] = [
  ...qwenExpertSizes,
  always({ decoder_sparse_step: 1, mlp_only_layers: [] }),
];

export const qwen2Moe: GgufForm = {
  className: "Qwen2MoeForCausalLM",
  prefix: "model.",
  tensors: gatedTensors(gatedParts.norms, gatedParts.attention, qwenExperts, sharedExpert),
  views: sharedExpertViews,
  fields: [
    ...gatedFields(),
    ...qwenExpertFields,
    side("shared_expert_intermediate_size", "blk.0.ffn_gate_shexp.weight", 0, "expert_shared_feed_forward_length"),
    biases("qkv_bias", "attn_q", "attn_k", "attn_v"),
    always({ norm_topk_prob: false }, (model) => {
      if (model.find("norm_topk_prob") === true)
        model.refuse("norm_topk_prob", "shares of the chosen experts are made to sum to 1");
    }),
    noWindow,
  ],
};
