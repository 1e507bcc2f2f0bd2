"""The models that the sweep starts from: one for each branch of each type. All keys of the maths are written out, with
values that are not the class's default, so that leaving one out shows."""

VOCABULARY = 64

SMALL = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_act": "gelu",
    "rms_norm_eps": 0.003,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "use_cache": True,
    "initializer_range": 0.02,
    "attention_dropout": 0.0,
    "torch_dtype": "float32",
}
WINDOWS = {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}
NEOX = {**{key: value for key, value in SMALL.items() if key not in ("num_key_value_heads", "rms_norm_eps")}, "hidden_size": 32}
GEMMA = {
    **{key: value for key, value in SMALL.items() if key != "hidden_act"},
    "head_dim": 8,
    "hidden_activation": "gelu",
    "sliding_window": 6,
    "query_pre_attn_scalar": 12,
    "attention_bias": False,
    "tie_word_embeddings": True,
}
GRANITE = {"embedding_multiplier": 6.0, "attention_multiplier": 0.3, "residual_multiplier": 0.4, "logits_scaling": 3.0}
T5 = {
    "vocab_size": VOCABULARY,
    "d_model": 16,
    "d_kv": 6,
    "d_ff": 24,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": 4,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 20,
    "layer_norm_epsilon": 0.003,
    "is_encoder_decoder": True,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "decoder_start_token_id": 3,
    "use_cache": True,
    "dropout_rate": 0.1,
    "initializer_factor": 1.0,
    "n_positions": 512,
}
BLOOM = {
    "vocab_size": VOCABULARY,
    "hidden_size": 16,
    "n_layer": 2,
    "n_head": 4,
    "layer_norm_epsilon": 0.003,
    "apply_residual_connection_post_layernorm": False,
    "tie_word_embeddings": True,
    "seq_length": 512,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 3,
    "pretraining_tp": 1,
    "slow_but_exact": False,
    "use_cache": True,
}
GPT2 = {
    "vocab_size": VOCABULARY,
    "n_positions": 320,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 4,
    "n_inner": 24,
    "activation_function": "gelu",
    "layer_norm_epsilon": 0.003,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "reorder_and_upcast_attn": False,
    "tie_word_embeddings": True,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "use_cache": True,
}
XGLM = {
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 320,
    "d_model": 16,
    "ffn_dim": 24,
    "num_layers": 2,
    "attention_heads": 4,
    "activation_function": "relu",
    "scale_embedding": True,
    "tie_word_embeddings": True,
    "decoder_start_token_id": 2,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "use_cache": True,
}


def rope(kind: str = "default", theta: float = 500.0, **more) -> dict:
    return {"rope_type": kind, "rope_theta": theta, **more}


LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
YARN = {"factor": 4.0, "original_max_position_embeddings": 64, "beta_fast": 16.0, "beta_slow": 2.0, "attention_factor": 1.2}
WIDE = {"hidden_size": 32}
FACTORS = {"short_factor": [1.0, 1.1, 1.3, 1.5], "long_factor": [1.2, 2.0, 4.0, 8.0]}

# name: type, configuration, tokens of the text, tokens of the source, a head of its own in the file
BASES = {
    "llama": {"type": "llama", "config": {**SMALL, "rope_theta": 500.0, "head_dim": 4, "attention_bias": False, "mlp_bias": False}},
    "llama-biases-tied": {
        "type": "llama",
        "config": {**SMALL, "head_dim": 6, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True, "rope_parameters": rope("linear", factor=2.0)},
    },
    "llama-own-head": {"type": "llama", "config": {**SMALL, "tie_word_embeddings": True, "rope_theta": 500.0}, "head": True},
    "llama-llama3": {"type": "llama", "config": {**SMALL, **WIDE, "rope_theta": 500.0, "rope_scaling": {"rope_type": "llama3", **LLAMA3}}, "length": 90},
    "llama-yarn": {"type": "llama", "config": {**SMALL, **WIDE, "rope_parameters": rope("yarn", **YARN)}, "length": 90},
    "mistral": {"type": "mistral", "config": {**SMALL, "head_dim": 4, "rope_theta": 500.0, "sliding_window": 7}},
    "mistral-whole": {"type": "mistral", "config": {**SMALL, "sliding_window": None, "rope_parameters": rope()}},
    "mixtral": {
        "type": "mixtral",
        "config": {**SMALL, "rope_theta": 500.0, "sliding_window": 7, "num_local_experts": 4, "num_experts_per_tok": 2, "output_router_logits": False, "router_aux_loss_coef": 0.02},
    },
    "mixtral-fused": {
        "type": "mixtral",
        "config": {**SMALL, "rope_parameters": rope(), "sliding_window": None, "num_local_experts": 3, "num_experts_per_tok": 1},
        "fused": True,
    },
    "qwen2": {"type": "qwen2", "config": {**SMALL, **WINDOWS, "rope_theta": 500.0}},
    "qwen2-yarn-tied": {"type": "qwen2", "config": {**SMALL, **WIDE, "tie_word_embeddings": True, "use_sliding_window": False, "rope_parameters": rope("yarn", **YARN)}, "length": 90},
    "qwen2_moe": {
        "type": "qwen2_moe",
        "config": {
            **SMALL,
            **WINDOWS,
            "rope_theta": 500.0,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 12,
            "shared_expert_intermediate_size": 20,
            "norm_topk_prob": True,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
            "qkv_bias": True,
            "output_router_logits": False,
        },
    },
    "qwen2_moe-fused": {
        "type": "qwen2_moe",
        "config": {
            **SMALL,
            "num_experts": 3,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 12,
            "shared_expert_intermediate_size": 20,
            "qkv_bias": False,
            "rope_parameters": rope(),
        },
        "fused": True,
    },
    "qwen3": {"type": "qwen3", "config": {**SMALL, **WINDOWS, "head_dim": 8, "rope_theta": 500.0, "attention_bias": False}},
    "qwen3-yarn-biases": {
        "type": "qwen3",
        "config": {**SMALL, "head_dim": 8, "attention_bias": True, "rope_parameters": rope("yarn", factor=4.0, original_max_position_embeddings=64, mscale=0.7, mscale_all_dim=0.4, truncate=False)},
        "length": 90,
    },
    "qwen3-head-128": {"type": "qwen3", "config": {**SMALL, "rope_theta": 500.0, "tie_word_embeddings": True}},
    "gemma2": {"type": "gemma2", "config": {**GEMMA, "rope_theta": 500.0, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 5.0}},
    "gemma2-plain-types": {
        "type": "gemma2",
        "config": {
            **GEMMA,
            "layer_types": ["full_attention", "sliding_attention", "sliding_attention"],
            "rope_parameters": rope(),
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
            "attention_bias": True,
        },
    },
    "gemma3_text": {
        "type": "gemma3_text",
        "config": {**GEMMA, "rope_theta": 500.0, "rope_local_base_freq": 50.0, "sliding_window_pattern": 3, "rope_scaling": {"rope_type": "linear", "factor": 4.0}, "final_logit_softcapping": None},
    },
    "gemma3_text-nested": {
        "type": "gemma3_text",
        "config": {
            **GEMMA,
            "tie_word_embeddings": False,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "rope_parameters": {"full_attention": rope("linear", 1000.0, factor=4.0), "sliding_attention": rope(theta=50.0)},
            "final_logit_softcapping": 4.0,
        },
    },
    "granite": {"type": "granite", "config": {**SMALL, **GRANITE, "rope_theta": 500.0, "head_dim": 4, "attention_bias": False, "mlp_bias": False}},
    "granite-biases-tied": {
        "type": "granite",
        "config": {**SMALL, **GRANITE, "head_dim": 6, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True, "rope_parameters": rope("linear", factor=2.0)},
    },
    "gpt2": {"type": "gpt2", "config": GPT2},
    "gpt2-untied": {"type": "gpt2", "config": {**GPT2, "tie_word_embeddings": False, "n_inner": 64}},
    "gpt2-own-head": {"type": "gpt2", "config": GPT2, "head": True},
    "gpt_neox": {"type": "gpt_neox", "config": {**NEOX, "layer_norm_eps": 0.003, "rotary_emb_base": 500, "rotary_pct": 0.5, "use_parallel_residual": True, "attention_bias": True}},
    "gpt_neox-serial-tied": {
        "type": "gpt_neox",
        "config": {**NEOX, "layer_norm_eps": 0.003, "tie_word_embeddings": True, "use_parallel_residual": False, "attention_bias": False, "rope_parameters": rope(partial_rotary_factor=1.0)},
    },
    "phi3": {"type": "phi3", "config": {**SMALL, "rope_theta": 500.0, "sliding_window": 9, "original_max_position_embeddings": 512, "pad_token_id": None, "embd_pdrop": 0.0, "resid_pdrop": 0.0}},
    "phi3-longrope": {
        "type": "phi3",
        "config": {**SMALL, **WIDE, "rope_theta": 500.0, "pad_token_id": None, "original_max_position_embeddings": 64, "rope_scaling": {"type": "longrope", **FACTORS}, "partial_rotary_factor": 1.0, "sliding_window": None},
        "length": 60,
    },
    "phi3-longrope-long": {
        "type": "phi3",
        "config": {**SMALL, **WIDE, "pad_token_id": None, "original_max_position_embeddings": 64, "rope_parameters": rope("longrope", partial_rotary_factor=1.0, original_max_position_embeddings=64, **FACTORS), "sliding_window": None},
        "length": 90,
    },
    "bloom": {"type": "bloom", "config": BLOOM},
    "bloom-residual-untied": {"type": "bloom", "config": {**BLOOM, "apply_residual_connection_post_layernorm": True, "tie_word_embeddings": False}},
    "xglm": {"type": "xglm", "config": XGLM},
    "xglm-unscaled-untied": {"type": "xglm", "config": {**XGLM, "scale_embedding": False, "tie_word_embeddings": False}},
    "t5": {"type": "t5", "config": {**T5, "feed_forward_proj": "relu", "tie_word_embeddings": True}, "source": 30},
    "t5-gated-own-head": {"type": "t5", "config": {**T5, "feed_forward_proj": "gated-silu", "tie_word_embeddings": False}, "source": 30, "head": True},
    "mt5": {"type": "mt5", "config": {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}, "source": 30, "head": True},
    "mt5-tied": {"type": "mt5", "config": {**T5, "feed_forward_proj": "relu", "tie_word_embeddings": True, "dense_act_fn": "relu", "is_gated_act": False}, "source": 30},
}
