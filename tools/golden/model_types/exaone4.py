import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, rope, sweep_rope

HYBRID = ["sliding_attention", "full_attention", "sliding_attention"]

FORWARD = {
    "exaone4-hybrid-f32": {
        "config": {**FORWARD_GROUPED, "num_hidden_layers": 3, "head_dim": 6, "sliding_window": 6, "layer_types": HYBRID},
        "length": FORWARD_LONG,
    },
    "exaone4-full-tied-bf16": {
        "config": {
            **FORWARD_GROUPED,
            "sliding_window": None,
            "layer_types": ["full_attention"] * 2,
            "tie_word_embeddings": True,
            "rope_parameters": rope("llama3", 100.0, factor=16.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64),
        },
        "dtype": torch.bfloat16,
    },
}

SWEEP = {
    "exaone4": {"config": {**SWEEP_SMALL, "head_dim": 6, "rope_theta": 500.0, "sliding_window": 6, "sliding_window_pattern": 3}},
    "exaone4-full-tied": {
        "config": {
            **SWEEP_SMALL,
            "tie_word_embeddings": True,
            "sliding_window": None,
            "sliding_window_pattern": None,
            "layer_types": ["full_attention"] * 3,
            "rope_parameters": sweep_rope("linear", factor=2.0),
        },
    },
}

EDITS = [
    {"sliding_window": 5, "layer_types": HYBRID, "sliding_window_pattern": "LGL"},
    {"sliding_window": 5, "layer_types": ["full_attention"] * 3},
    {"sliding_window": 5, "layer_types": None, "sliding_window_pattern": "LLLG"},
    {"sliding_window": None, "layer_types": HYBRID},
    {"sliding_window": 5, "layer_types": None, "sliding_window_pattern": 0},
    {"sliding_window": 5, "layer_types": None, "sliding_window_pattern": -2},
    {"sliding_window": 5, "layer_types": None, "sliding_window_pattern": 1},
]

GGUF_EXAONE = {**GGUF_SMALL, "head_dim": 4}

GGUF = {
    "exaone4-tied": {"config": {**GGUF_EXAONE, "num_hidden_layers": 2, "sliding_window": None, "layer_types": ["full_attention"] * 2, "tie_word_embeddings": True}, "file": "f16"},
}

LOADS = {"config": {**LOADS_GROUPED, "sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]}}
