import type { GgufForm } from "../../gguf/form/gguf-form.ts";
import { activation, biases, neverTied, vocabulary } from "../../gguf/form/metadata-fields.ts";
import { attentionLayers, gatedFields, gatedParts, gatedTensors, wholeRotary } from "../families/gated.gguf.ts";

const norms = [
  ["attn_norm", "attention_layernorm"],
  ["ffn_norm", "feedforward_layernorm"],
] as const;

const mlp = [
  ["ffn_up", "mlp.up_proj"],
  ["ffn_down", "mlp.down_proj"],
] as const;

export const apertus: GgufForm = {
  className: "ApertusForCausalLM",
  prefix: "model.",
  tensors: gatedTensors(norms, gatedParts.attention, gatedParts.headNorms, mlp),
  lists: new Map([
    ["xielu.alpha_p", { name: "layers.{block}.mlp.act_fn.alpha_p", shape: [1] }],
    ["xielu.alpha_n", { name: "layers.{block}.mlp.act_fn.alpha_n", shape: [1] }],
    ["xielu.beta", { name: "layers.{block}.mlp.act_fn.beta", shape: [] }],
    ["xielu.eps", { name: "layers.{block}.mlp.act_fn.eps", shape: [] }],
  ]),
  fields: [
    ...gatedFields({
      vocabulary: vocabulary(true),
      activation: activation("hidden_act", "xielu"),
      rotary: wholeRotary(true),
      tied: neverTied,
    }),
    biases("attention_bias", ...attentionLayers),
  ],
};
