import { test } from "uvu";
import * as assert from "uvu/assert";
import { BadDataError, FailedPreconditionError } from "@mbs/contracts";
import { loadArchitecture } from "../src/architectures/architectures.ts";
import { count, flag, nullable, only } from "../src/config/config-keys.ts";
import { readConfig } from "../src/config/config.ts";
import type { JsonObject } from "../src/folder/json-file.ts";

const keys = { width: count(7), depth: nullable(count(0)), biased: flag(true), causal: only(true) };
const read = (json: JsonObject, unknown: string[] = []) =>
  readConfig(json, keys, { file: "config.json", aliases: { size: "width" }, unknown });

test("an absent key has the default of its class, and null is a value", () => {
  assert.equal(read({}).values, { width: 7, depth: null, biased: true, causal: true });
  assert.equal(read({ width: 3, depth: null, biased: false }).values, { width: 3, depth: null, biased: false, causal: true });
  assert.throws(() => read({ width: null }), /config\.json: width must be a whole number, at least 1, not null/);
  assert.ok(read({ depth: null }).has("depth"));
  assert.not(read({}).has("depth"));
});

test("a size has one of its names, or the same value under both", () => {
  assert.is(read({ size: 3 }).values.width, 3);
  assert.is(read({ size: 3, width: 3 }).values.width, 3);
  assert.throws(
    () => read({ size: 3, width: 4 }),
    /size 3 is not supported; it is another name of width, which is 4; leave one out/,
  );
});

function failure(json: JsonObject): unknown {
  try {
    return read(json).values;
  } catch (error) {
    return error;
  }
}

test("what is not built is refused, what is broken is bad data, each by its key", () => {
  assert.instance(failure({ causal: false }), FailedPreconditionError);
  assert.match(String(failure({ causal: false })), /causal false is not supported; only true is/);
  assert.instance(failure({ biased: "no" }), BadDataError);
  const long = String(failure({ biased: "n".repeat(500) }));
  assert.ok(long.length < 200, long);
});

test("unknown keys are named, except those that are null, harmless or bookkeeping", () => {
  const unknown: string[] = [];
  const config = read({ width: 3, mystery: 2, nothing: null, temperature: 0.7, _name_or_path: "a" }, unknown);
  config.section("part", { depth: 2, riddle: 1 }, { depth: count(1) });
  assert.equal(unknown, ["mystery", "part.riddle"]);
});

/** As they are on the Hub, with all the keys that change nothing. */
const published: JsonObject[] = [
  {
    architectures: ["Qwen2ForCausalLM"],
    attention_dropout: 0.0,
    bos_token_id: 151643,
    eos_token_id: 151645,
    hidden_act: "silu",
    hidden_size: 896,
    initializer_range: 0.02,
    intermediate_size: 4864,
    max_position_embeddings: 32768,
    max_window_layers: 21,
    model_type: "qwen2",
    num_attention_heads: 14,
    num_hidden_layers: 24,
    num_key_value_heads: 2,
    rms_norm_eps: 1e-6,
    rope_theta: 1000000.0,
    sliding_window: 32768,
    tie_word_embeddings: true,
    torch_dtype: "bfloat16",
    transformers_version: "4.43.1",
    use_cache: true,
    use_mrope: false,
    use_sliding_window: false,
    vocab_size: 151936,
  },
  {
    architectures: ["LlamaForCausalLM"],
    attention_bias: false,
    attention_dropout: 0.0,
    bos_token_id: 128000,
    eos_token_id: [128001, 128008, 128009],
    head_dim: 64,
    hidden_act: "silu",
    hidden_size: 2048,
    initializer_range: 0.02,
    intermediate_size: 8192,
    max_position_embeddings: 131072,
    mlp_bias: false,
    model_type: "llama",
    num_attention_heads: 32,
    num_hidden_layers: 16,
    num_key_value_heads: 8,
    pretraining_tp: 1,
    rms_norm_eps: 1e-5,
    rope_scaling: {
      factor: 32.0,
      high_freq_factor: 4.0,
      low_freq_factor: 1.0,
      original_max_position_embeddings: 8192,
      rope_type: "llama3",
    },
    rope_theta: 500000.0,
    tie_word_embeddings: true,
    torch_dtype: "bfloat16",
    transformers_version: "4.45.0.dev0",
    use_cache: true,
    vocab_size: 128256,
  },
  {
    apply_residual_connection_post_layernorm: false,
    attention_dropout: 0.0,
    attention_softmax_in_fp32: true,
    bias_dropout_fusion: true,
    bos_token_id: 1,
    eos_token_id: 2,
    hidden_dropout: 0.0,
    initializer_range: 0.02,
    layer_norm_epsilon: 1e-5,
    masked_softmax_fusion: true,
    model_type: "bloom",
    n_embed: 1024,
    n_inner: null,
    n_layer: 24,
    num_attention_heads: 16,
    offset_alibi: 100,
    pad_token_id: 3,
    pretraining_tp: 1,
    seq_length: 2048,
    skip_bias_add: true,
    skip_bias_add_qkv: false,
    transformers_version: "4.20.0",
    unk_token_id: 0,
    use_cache: true,
    vocab_size: 250880,
  },
  {
    _name_or_path: "/home/patrick/hugging_face/mt5/mt5-small",
    architectures: ["MT5ForConditionalGeneration"],
    d_ff: 1024,
    d_kv: 64,
    d_model: 512,
    decoder_start_token_id: 0,
    dropout_rate: 0.1,
    eos_token_id: 1,
    feed_forward_proj: "gated-gelu",
    initializer_factor: 1.0,
    is_encoder_decoder: true,
    layer_norm_epsilon: 1e-6,
    model_type: "mt5",
    num_decoder_layers: 8,
    num_heads: 6,
    num_layers: 8,
    pad_token_id: 0,
    relative_attention_num_buckets: 32,
    tie_word_embeddings: false,
    tokenizer_class: "T5Tokenizer",
    vocab_size: 250112,
  },
  {
    activation_function: "gelu_new",
    architectures: ["GPT2LMHeadModel"],
    attn_pdrop: 0.1,
    bos_token_id: 50256,
    embd_pdrop: 0.1,
    eos_token_id: 50256,
    initializer_range: 0.02,
    layer_norm_epsilon: 1e-5,
    model_type: "gpt2",
    n_ctx: 1024,
    n_embd: 768,
    n_head: 12,
    n_layer: 12,
    n_positions: 1024,
    resid_pdrop: 0.1,
    summary_activation: null,
    summary_first_dropout: 0.1,
    summary_proj_to_labels: true,
    summary_type: "cls_index",
    summary_use_proj: true,
    task_specific_params: { "text-generation": { do_sample: true, max_length: 50 } },
    vocab_size: 50257,
  },
  {
    architectures: ["GPTNeoXForCausalLM"],
    bos_token_id: 0,
    eos_token_id: 0,
    hidden_act: "gelu",
    hidden_size: 512,
    initializer_range: 0.02,
    intermediate_size: 2048,
    layer_norm_eps: 1e-5,
    max_position_embeddings: 2048,
    model_type: "gpt_neox",
    num_attention_heads: 8,
    num_hidden_layers: 6,
    rotary_emb_base: 10000,
    rotary_pct: 0.25,
    tie_word_embeddings: false,
    torch_dtype: "float16",
    transformers_version: "4.24.0",
    use_cache: true,
    use_parallel_residual: true,
    vocab_size: 50304,
  },
  {
    architectures: ["Gemma3ForCausalLM"],
    attention_bias: false,
    attention_dropout: 0.0,
    attn_logit_softcapping: null,
    bos_token_id: 2,
    cache_implementation: "hybrid",
    eos_token_id: [1, 106],
    final_logit_softcapping: null,
    head_dim: 256,
    hidden_activation: "gelu_pytorch_tanh",
    hidden_size: 1152,
    initializer_range: 0.02,
    intermediate_size: 6912,
    max_position_embeddings: 32768,
    model_type: "gemma3_text",
    num_attention_heads: 4,
    num_hidden_layers: 26,
    num_key_value_heads: 1,
    pad_token_id: 0,
    query_pre_attn_scalar: 256,
    rms_norm_eps: 1e-6,
    rope_local_base_freq: 10000,
    rope_scaling: null,
    rope_theta: 1000000,
    sliding_window: 512,
    sliding_window_pattern: 6,
    torch_dtype: "bfloat16",
    transformers_version: "4.50.0.dev0",
    use_cache: true,
    vocab_size: 262144,
  },
  {
    architectures: ["MistralForCausalLM"],
    attention_dropout: 0.0,
    bos_token_id: 1,
    eos_token_id: 2,
    hidden_act: "silu",
    hidden_size: 4096,
    initializer_range: 0.02,
    intermediate_size: 14336,
    max_position_embeddings: 32768,
    model_type: "mistral",
    num_attention_heads: 32,
    num_hidden_layers: 32,
    num_key_value_heads: 8,
    rms_norm_eps: 1e-5,
    rope_theta: 1000000.0,
    sliding_window: null,
    tie_word_embeddings: false,
    torch_dtype: "bfloat16",
    transformers_version: "4.42.0.dev0",
    use_cache: true,
    vocab_size: 32768,
  },
];
for (const config of published) {
  test(`a configuration of ${String(config["model_type"])} as it is published is read without a word`, async () => {
    const architecture = await loadArchitecture(config["model_type"], "config.json");
    assert.equal(architecture.read(config, "config.json").unknown, []);
  });
}

test.run();
