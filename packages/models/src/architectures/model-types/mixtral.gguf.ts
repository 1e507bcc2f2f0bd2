import type { GgufForm } from "../../gguf/form/gguf-form.ts";
import { always, count } from "../../gguf/form/metadata-fields.ts";
import { gatedParts, gatedTensors, noteWindow } from "../families/gated.gguf.ts";
import { llama, llamaFields } from "./llama.gguf.ts";

export const mixtral: GgufForm = {
  ...llama,
  className: "MixtralForCausalLM",
  tensors: gatedTensors(gatedParts.norms, gatedParts.attention, [
    ["ffn_gate_inp", "block_sparse_moe.gate"],
    ["ffn_gate_exps", "block_sparse_moe.experts.{expert}.w1"],
    ["ffn_down_exps", "block_sparse_moe.experts.{expert}.w2"],
    ["ffn_up_exps", "block_sparse_moe.experts.{expert}.w3"],
  ]),
  fields: [
    ...llamaFields,
    count("expert_count", "num_local_experts"),
    count("expert_used_count", "num_experts_per_tok"),
    always({ sliding_window: null }, noteWindow),
  ],
  isOf: (contents) => llama.isOf?.(contents) === false,
};
