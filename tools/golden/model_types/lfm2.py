import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, rope, sweep_rope

PLAIN_MLP = {"block_auto_adjust_ff_dim": False}

FORWARD = {
    "lfm2-f32": {
        "config": {**FORWARD_GROUPED, "num_hidden_layers": 4, "layer_types": ["conv", "conv", "full_attention", "conv"], "block_multiple_of": 8, "rope_parameters": rope(theta=100.0)},
        "length": FORWARD_LONG,
        "inputs": True,
    },
    "lfm2-bias-untied-bf16": {
        "config": {
            **FORWARD_GROUPED,
            **PLAIN_MLP,
            "num_hidden_layers": 3,
            "full_attn_idxs": [0, 2],
            "conv_L_cache": 5,
            "conv_bias": True,
            "tie_word_embeddings": False,
            "rope_parameters": rope(theta=100.0),
        },
        "dtype": torch.bfloat16,
        "inputs": True,
    },
}

SWEEP_LFM2 = {
    **{key: value for key, value in SWEEP_SMALL.items() if key not in ("hidden_act", "rms_norm_eps", "attention_dropout", "num_hidden_layers")},
    "num_hidden_layers": 3,
    "norm_eps": 0.003,
    "pad_token_id": 3,
    "conv_L_cache": 4,
    "conv_bias": False,
    "block_multiple_of": 4,
    "block_ffn_dim_multiplier": 1.5,
    "block_auto_adjust_ff_dim": True,
}

SWEEP = {
    "lfm2": {"config": {**SWEEP_LFM2, "full_attn_idxs": [1], "tie_word_embeddings": True, "rope_theta": 500.0}},
    "lfm2-biases-types": {
        "config": {
            **SWEEP_LFM2,
            "conv_L_cache": 2,
            "conv_bias": True,
            "block_auto_adjust_ff_dim": False,
            "layer_types": ["full_attention", "conv", "conv"],
            "rope_parameters": sweep_rope("linear", factor=2.0),
        }
    },
}

EDITS = [
    {"full_attn_idxs": [0, 2]},
    {"full_attn_idxs": []},
    {"full_attn_idxs": [1, 7]},
    {"full_attn_idxs": [-1]},
    {"layer_types": ["conv", "full_attention", "full_attention"], "full_attn_idxs": [0]},
    {"layer_types": ["conv", "full_attention"]},
    {"layer_types": ["conv", "sliding_attention", "full_attention"]},
    {"layer_types": ["conv", "linear_attention", "full_attention"]},
    {"layer_types": ["conv", "conv", "conv"]},
    {"block_ff_dim": 36},
    {"block_ff_dim": None},
    {"block_ff_dim": 36, "intermediate_size": 48},
    {"tie_embedding": False},
    {"tie_embedding": True},
    {"tie_embedding": None},
    {"block_multiple_of": 7},
    {"block_ffn_dim_multiplier": 0.7},
    {"block_ffn_dim_multiplier": 2},
    {"head_dim": 6},
    {"block_use_swiglu": False},
    {"hidden_act": "gelu"},
]

GGUF = {
    "lfm2": {
        "config": {**GGUF_SMALL, "num_hidden_layers": 3, "layer_types": ["conv", "full_attention", "conv"], "block_multiple_of": 8, "rope_parameters": rope(theta=5000.0)},
        "file": "f16",
    },
}

LOADS = {"config": {**{key: value for key, value in LOADS_GROUPED.items() if key != "head_dim"}, "layer_types": ["conv", "full_attention"], "block_auto_adjust_ff_dim": False}}
