import { renamed } from "../dense-tensor.ts";
import type { View } from "../dense-tensor.ts";
import { hasTensor, vocabularyOf } from "./gguf-architecture.ts";
import type { GgufArchitecture } from "./gguf-architecture.ts";

/** The one matrix before an ungated MLP's activation, which the table of names has by that of a gated one. */
const ungated: View = (source, name) => renamed(source, name.replace(".wi_1.", ".wi."));

/**
 * T5 and mT5, whose files do not tell which of them they are: with a head of its own, T5 computes what mT5 does. Distances
 * are cut at 128, as in llama.cpp and in every published model.
 */
export const t5: GgufArchitecture = (contents) => {
  const { metadata } = contents;
  const gated = hasTensor(contents, "enc.blk.0.ffn_gate.weight");
  const blocks = metadata.count("block_count");
  const heads = metadata.count("attention.head_count");
  for (const key of ["attention.value_length", "attention.layer_norm_epsilon", "attention.head_count_kv", "vocab_size"]) {
    metadata.find(key);
  }
  return {
    config: {
      model_type: "t5",
      architectures: ["T5ForConditionalGeneration"],
      vocab_size: vocabularyOf(contents),
      n_positions: metadata.count("context_length"),
      d_model: metadata.count("embedding_length"),
      d_kv: metadata.count("attention.key_length"),
      d_ff: metadata.count("feed_forward_length"),
      num_layers: blocks,
      num_decoder_layers: metadata.findCount("decoder_block_count") ?? blocks,
      num_heads: heads,
      relative_attention_num_buckets: metadata.count("attention.relative_buckets_count"),
      relative_attention_max_distance: 128,
      layer_norm_epsilon: metadata.number("attention.layer_norm_rms_epsilon"),
      feed_forward_proj: gated ? "gated-gelu" : "relu",
      is_encoder_decoder: true,
      decoder_start_token_id: metadata.findCount("decoder_start_token_id") ?? 0,
      tie_word_embeddings: !hasTensor(contents, "output.weight"),
    },
    prefix: "",
    views: Object.fromEntries(gated ? [] : ["enc", "dec"].map((stack) => [`${stack}.blk.{block}.ffn_up`, ungated])),
  };
};
