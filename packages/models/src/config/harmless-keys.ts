import { anything, choice, count, flag, integer, nullable, number, only, positive, section, text, texts } from "./config-keys.ts";

/** The id of a token, or a list of ids: the forward pass does not read it. */
const tokenId = nullable({
  fallback: 0,
  read: (value: unknown, fault: Parameters<typeof anything.read>[1]) =>
    Array.isArray(value) ? value : integer(0).read(value, fault),
});

/** Implementations of the same attention. */
const attention = nullable(
  choice(["eager", "sdpa", "flash_attention_2", "flash_attention_3", "flex_attention", "paged_attention"], "eager"),
);

/**
 * Keys of every class of transformers, checked as it checks them. They change nothing here, apart from those with one
 * supported value: with `is_causal: false` a decoder would see later tokens.
 */
export const commonKeys = {
  is_causal: only(true),
  return_dict: nullable(only(true)),
  per_layer_config: only(null),
  model_type: text(""),
  transformers_version: nullable(text("")),
  architectures: nullable(texts),
  use_cache: flag(true),
  output_hidden_states: nullable(flag(false)),
  output_attentions: nullable(flag(false)),
  dtype: nullable(text("")),
  torch_dtype: nullable(text("")),
  chunk_size_feed_forward: nullable(integer(0)),
  is_encoder_decoder: nullable(flag(false)),
  id2label: nullable(section),
  label2id: anything,
  num_labels: integer(2),
  problem_type: nullable(text("")),
  bos_token_id: tokenId,
  eos_token_id: tokenId,
  pad_token_id: tokenId,
  auto_map: section,
  quantization_config: nullable(section),
  // of some types, which read them; the base classes look at them in all
  layer_types: only(null),
  sliding_window: nullable(count(0)),
  attention_chunk_size: nullable(count(0)),
  rope_parameters: only(null),
  rope_scaling: only(null),
  attn_implementation: attention,
  _attn_implementation: attention,
} as const;

/** Keys of training, which the forward pass does not read. */
export const dropout = number(0);
export const initializer = positive(0.02);

/**
 * Keys found in configurations on the Hub that change no forward pass of transformers 5.24: how a text is
 * generated, how the model was trained, saved or is served, and what heads of other tasks take. Names that begin with "_"
 * are bookkeeping too.
 */
export const harmlessNames: ReadonlySet<string> = new Set(
  [
    // generation
    ["max_length", "max_new_tokens", "min_length", "min_new_tokens", "do_sample", "early_stopping", "num_beams"],
    ["num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty"],
    ["length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences"],
    ["output_scores", "return_dict_in_generate", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values"],
    ["exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens", "epsilon_cutoff", "eta_cutoff"],
    ["prefix", "task_specific_params", "generation_config", "cache_implementation", "decoder_start_token_id"],
    // tokens
    ["unk_token_id", "sep_token_id", "cls_token_id", "mask_token_id", "tokenizer_class", "vocab_file", "num_special_tokens"],
    // training
    ["initializer_range", "initializer_factor", "init_std", "initializer", "attention_dropout", "hidden_dropout", "dropout"],
    ["classifier_dropout", "embd_pdrop", "resid_pdrop", "attn_pdrop", "activation_dropout", "dropout_rate", "layerdrop"],
    ["router_aux_loss_coef", "router_z_loss_coef", "output_router_logits", "gradient_checkpointing", "pretraining_tp"],
    ["embedding_dropout", "resid_dropout", "summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels"],
    ["summary_first_dropout", "bias_dropout_fusion", "masked_softmax_fusion", "attention_softmax_in_fp32", "skip_bias_add"],
    ["skip_bias_add_qkv", "offset_alibi", "use_flash_attn", "flash_attention", "use_mrope", "unsloth_version", "unsloth_fixed"],
    // saving and serving; how this program rotated and trimmed a model
    ["mbs_rotation", "mbs_trimming"],
    ["name_or_path", "torchscript", "use_bfloat16", "tf_legacy_loss", "finetuning_task", "pruned_heads", "chunk_size"],
    ["cross_attention_hidden_size", "tie_encoder_decoder", "is_decoder", "return_dict", "use_return_dict", "low_cpu_mem_usage"],
    ["experts_implementation", "transformers.js_config", "sparsity_config", "compression_config", "tie_last_hidden_states"],
    [
      "seq_length",
      "n_ctx",
      "n_positions",
      "use_legacy_cache",
      "gradient_checkpointing_kwargs",
      "tf_version",
      "base_model_tp_plan",
    ],
  ].flat(),
);
