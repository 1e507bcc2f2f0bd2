import { interleaved, lessOne, transposed, unpaired } from "../dense-tensor.ts";
import type { View } from "../dense-tensor.ts";

/** How the tensors of a checkpoint differ from those of a GGUF file; read in one direction, written in the other. */
export interface TensorForm {
  /** Put before the names of all tensors but the head's. */
  readonly prefix: string;
  /** Tensors that the checkpoint has in another form, by their names in `ggufNames`: "blk.{block}.attn_q". */
  readonly views: Readonly<Record<string, View>>;
}

/** Heads of queries, and of keys. */
export interface HeadCounts {
  readonly heads: number;
  readonly kvHeads: number;
}

/** Queries and keys are stored by rotary pairs. */
const pairedForm = ({ heads, kvHeads }: HeadCounts): TensorForm => ({
  prefix: "model.",
  views: { "blk.{block}.attn_q": unpaired(heads), "blk.{block}.attn_k": unpaired(kvHeads) },
});

const sameForm = (): TensorForm => ({ prefix: "model.", views: {} });

/** Norms are stored with the 1 that these models add to their weights. */
const gemmaForm = (): TensorForm => ({
  prefix: "model.",
  views: {
    output_norm: lessOne,
    ...Object.fromEntries(
      ["attn_norm", "attn_q_norm", "attn_k_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"].map((norm) => [
        `blk.{block}.${norm}`,
        lessOne,
      ]),
    ),
  },
});

/** The checkpoint has its weights as [in, out], the file as [out, in]. */
const gpt2Form = (): TensorForm => ({
  prefix: "transformer.",
  views: Object.fromEntries(
    ["attn_qkv", "attn_output", "ffn_up", "ffn_down"].map((layer) => [`blk.{block}.${layer}`, transposed]),
  ),
});

/** Query, key and value are stored one after the other. */
const interleavedForm =
  (prefix: string) =>
  ({ heads }: HeadCounts): TensorForm => ({ prefix, views: { "blk.{block}.attn_qkv": interleaved(heads) } });

/** By `general.architecture`, of the decoders. */
export const tensorForms = {
  bloom: interleavedForm("transformer."),
  gemma2: gemmaForm,
  gemma3: gemmaForm,
  gpt2: gpt2Form,
  gptneox: interleavedForm("gpt_neox."),
  granite: pairedForm,
  llama: pairedForm,
  phi3: sameForm,
  qwen2: sameForm,
  qwen2moe: sameForm,
  qwen3: sameForm,
} as const satisfies Readonly<Record<string, (heads: HeadCounts) => TensorForm>>;
