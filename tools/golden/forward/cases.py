"""The tiny models of every architecture but BLOOM: one for each branch that a configuration can take."""

import torch

LONG = 300  # more than one chunk of queries

SMALL = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 512}
GROUPED = {**SMALL, "num_key_value_heads": 2}
GPT2 = {"n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 320}
XGLM = {"d_model": 16, "num_layers": 2, "attention_heads": 4, "ffn_dim": 24, "max_position_embeddings": 320}
T5 = {"d_model": 16, "d_kv": 6, "d_ff": 24, "num_layers": 2, "num_heads": 4, "pad_token_id": 0, "decoder_start_token_id": 0}


def rope(kind: str = "default", theta: float = 10000.0, **more) -> dict:
    return {"rope_type": kind, "rope_theta": theta, **more}


CASES = {
    "llama-grouped-f32": {"type": "llama", "config": GROUPED, "length": LONG},
    "llama-tied-biases-linear-f16": {
        "type": "llama",
        "config": {
            **SMALL,
            "head_dim": 6,
            "num_key_value_heads": 1,
            "tie_word_embeddings": True,
            "attention_bias": True,
            "mlp_bias": True,
            "rope_parameters": rope("linear", factor=2.0),
        },
        "dtype": torch.float16,
    },
    "llama-llama3-sharded-bf16": {
        "type": "llama",
        "config": {
            **SMALL,
            "hidden_size": 24,
            "num_attention_heads": 3,
            "rope_parameters": rope(
                "llama3", 100.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64
            ),
        },
        "dtype": torch.bfloat16,
        "shard": "12KB",
        "length": 100,
    },
    "mistral-window-f32": {"type": "mistral", "config": {**GROUPED, "sliding_window": 7}, "length": LONG},
    "mistral-whole-bf16": {"type": "mistral", "config": {**GROUPED, "sliding_window": None}, "dtype": torch.bfloat16},
    "qwen2-tied-f16": {"type": "qwen2", "config": {**GROUPED, "tie_word_embeddings": True}, "dtype": torch.float16},
    "qwen2-window-f32": {
        "type": "qwen2",
        "config": {**GROUPED, "use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1},
        "length": 40,
    },
    "qwen3-bias-f32": {"type": "qwen3", "config": {**GROUPED, "head_dim": 8, "attention_bias": True}, "length": LONG},
    "qwen3-tied-f16": {"type": "qwen3", "config": {**GROUPED, "head_dim": 4, "tie_word_embeddings": True}, "dtype": torch.float16},
    "gpt2-f32": {"type": "gpt2", "config": GPT2, "length": LONG},
    "gpt2-base-untied-f16": {
        "type": "gpt2",
        "config": {**GPT2, "n_inner": 20, "activation_function": "relu"},
        "dtype": torch.float16,
        "base": True,
    },
    "gpt2-untied-sharded-bf16": {
        "type": "gpt2",
        "config": {**GPT2, "tie_word_embeddings": False, "layer_norm_epsilon": 1e-3},
        "dtype": torch.bfloat16,
        "shard": "10KB",
    },
    "gpt-neox-parallel-f32": {"type": "gpt_neox", "config": {**SMALL, "num_attention_heads": 2}, "length": LONG},
    "gpt-neox-serial-bf16": {
        "type": "gpt_neox",
        "config": {
            **SMALL,
            "use_parallel_residual": False,
            "attention_bias": False,
            "tie_word_embeddings": True,
            "rope_parameters": rope(theta=500.0, partial_rotary_factor=1.0),
        },
        "dtype": torch.bfloat16,
    },
    "gemma2-window-softcap-f32": {
        "type": "gemma2",
        "config": {
            **GROUPED,
            "num_hidden_layers": 3,
            "head_dim": 8,
            "sliding_window": 5,
            "query_pre_attn_scalar": 12,
            "attn_logit_softcapping": 2.0,
            "final_logit_softcapping": 5.0,
        },
        "length": LONG,
    },
    "gemma2-plain-bf16": {
        "type": "gemma2",
        "config": {
            **GROUPED,
            "head_dim": 4,
            "attention_bias": True,
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
        },
        "dtype": torch.bfloat16,
    },
    "gemma3-alternating-f32": {
        "type": "gemma3_text",
        "config": {
            **GROUPED,
            "num_hidden_layers": 3,
            "head_dim": 8,
            "sliding_window": 6,
            "query_pre_attn_scalar": 10,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "rope_parameters": {
                "full_attention": rope("linear", 1000.0, factor=4.0),
                "sliding_attention": rope(theta=50.0),
            },
        },
        "length": LONG,
    },
    "gemma3-softcap-untied-f16": {
        "type": "gemma3_text",
        "config": {**GROUPED, "head_dim": 4, "final_logit_softcapping": 4.0, "tie_word_embeddings": False},
        "dtype": torch.float16,
    },
    "phi3-window-f32": {"type": "phi3", "config": {**GROUPED, "sliding_window": 9}, "length": LONG},
    "phi3-partial-tied-f16": {
        "type": "phi3",
        "config": {
            **GROUPED,
            "hidden_size": 32,
            "tie_word_embeddings": True,
            "rope_parameters": rope(partial_rotary_factor=0.5),
        },
        "dtype": torch.float16,
    },
    "xglm-f32": {"type": "xglm", "config": XGLM, "length": LONG, "pad": 1},
    "xglm-unscaled-untied-bf16": {
        "type": "xglm",
        "config": {**XGLM, "scale_embedding": False, "tie_word_embeddings": False, "activation_function": "gelu_new"},
        "dtype": torch.bfloat16,
        "pad": 1,
    },
    "granite-multipliers-f32": {
        "type": "granite",
        "config": {
            **GROUPED,
            "embedding_multiplier": 12.0,
            "attention_multiplier": 0.3,
            "residual_multiplier": 0.22,
            "logits_scaling": 0.5,
        },
        "length": LONG,
    },
    "granite-tied-biases-bf16": {
        "type": "granite",
        "config": {
            **SMALL,
            "num_key_value_heads": 1,
            "tie_word_embeddings": True,
            "attention_bias": True,
            "mlp_bias": True,
            "embedding_multiplier": 3.0,
            "residual_multiplier": 0.5,
            "logits_scaling": 4.0,
        },
        "dtype": torch.bfloat16,
    },
    "mixtral-f32": {
        "type": "mixtral",
        "config": {**GROUPED, "num_local_experts": 5, "num_experts_per_tok": 2, "sliding_window": None},
        "length": LONG,
    },
    "mixtral-window-f16": {
        "type": "mixtral",
        "config": {**GROUPED, "num_local_experts": 3, "num_experts_per_tok": 1, "sliding_window": 6, "tie_word_embeddings": True},
        "dtype": torch.float16,
    },
    "mt5-f32": {"type": "mt5", "config": {**T5, "num_decoder_layers": 3}, "length": LONG, "source": 270, "eos": 1},
    "mt5-untied-sharded-bf16": {
        "type": "mt5",
        "config": {**T5, "relative_attention_num_buckets": 7, "relative_attention_max_distance": 20, "layer_norm_epsilon": 1e-3},
        "dtype": torch.bfloat16,
        "shard": "12KB",
        "source": 50,
        "eos": 1,
        "untied": True,
    },
    "t5-relu-tied-f32": {"type": "t5", "config": {**T5, "num_layers": 1, "num_decoder_layers": 1}, "source": 9, "eos": 1},
    "t5-untied-f16": {
        "type": "t5",
        "config": {**T5, "feed_forward_proj": "gated-silu", "decoder_start_token_id": 3},
        "dtype": torch.float16,
        "length": 40,
        "source": 60,
        "eos": 1,
        "untied": True,
    },
    "qwen2-yarn-f32": {
        "type": "qwen2",
        "config": {**GROUPED, "hidden_size": 32, "rope_parameters": rope("yarn", factor=4.0, original_max_position_embeddings=128)},
        "length": LONG,
    },
    "qwen3-yarn-mscale-f16": {
        "type": "qwen3",
        "config": {
            **GROUPED,
            "head_dim": 16,
            "rope_parameters": rope(
                "yarn",
                factor=8.0,
                original_max_position_embeddings=64,
                beta_fast=16.0,
                beta_slow=2.0,
                mscale=0.7,
                mscale_all_dim=0.4,
                truncate=False,
            ),
        },
        "dtype": torch.float16,
        "length": 100,
    },
    "phi3-longrope-short-f32": {
        "type": "phi3",
        "config": {
            **GROUPED,
            "hidden_size": 32,
            "original_max_position_embeddings": 64,
            "rope_parameters": rope("longrope", short_factor=[1.0, 1.1, 1.3, 1.5], long_factor=[1.2, 2.0, 4.0, 8.0]),
        },
        "length": 60,
    },
    "phi3-longrope-long-f16": {
        "type": "phi3",
        "config": {
            **GROUPED,
            "hidden_size": 32,
            "original_max_position_embeddings": 64,
            "rope_parameters": rope(
                "longrope", partial_rotary_factor=0.75, short_factor=[1.0, 1.1, 1.3], long_factor=[1.2, 2.0, 4.0]
            ),
        },
        "dtype": torch.float16,
        "length": 100,
    },
    "qwen2-moe-f32": {
        "type": "qwen2_moe",
        "config": {
            **GROUPED,
            "num_experts": 5,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 12,
            "shared_expert_intermediate_size": 20,
        },
        "length": LONG,
    },
    "qwen2-moe-window-normalised-bf16": {
        "type": "qwen2_moe",
        "config": {
            **GROUPED,
            "num_experts": 4,
            "num_experts_per_tok": 3,
            "moe_intermediate_size": 8,
            "shared_expert_intermediate_size": 16,
            "norm_topk_prob": True,
            "qkv_bias": False,
            "tie_word_embeddings": True,
            "use_sliding_window": True,
            "sliding_window": 5,
            "max_window_layers": 2,
        },
        "dtype": torch.bfloat16,
        "length": 40,
    },
    "qwen2-moe-small-gates-f32": {
        "type": "qwen2_moe",
        "config": {
            **GROUPED,
            "num_experts": 3,
            "num_experts_per_tok": 1,
            "moe_intermediate_size": 8,
            "shared_expert_intermediate_size": 20,
        },
        "length": 100,
        "shared_gates": (-10.0, -30.0),
    },
}
