import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, rope, sweep_rope

# Without the default, whose pad_token_id is no row of a small embedding.
PAD = {"pad_token_id": 3}

FORWARD = {
    "smollm3-still-f32": {"config": {**FORWARD_GROUPED, "num_hidden_layers": 5}, "length": FORWARD_LONG},
    "smollm3-marks-window-untied-f16": {
        "config": {
            **FORWARD_GROUPED,
            "num_hidden_layers": 3,
            "no_rope_layers": [0, 1, 0],
            "use_sliding_window": True,
            "sliding_window": 5,
            "attention_bias": True,
            "mlp_bias": True,
            "tie_word_embeddings": False,
            "rope_parameters": rope(theta=100.0),
        },
        "dtype": torch.float16,
    },
}

SWEEP = {
    "smollm3": {
        "config": {
            **SWEEP_SMALL,
            **PAD,
            "rope_theta": 500.0,
            "attention_bias": False,
            "mlp_bias": False,
            "use_sliding_window": True,
            "sliding_window": 5,
            "no_rope_layer_interval": 2,
        }
    },
    "smollm3-marks-tied": {
        "config": {
            **SWEEP_SMALL,
            **PAD,
            "attention_bias": True,
            "mlp_bias": True,
            "tie_word_embeddings": True,
            "use_sliding_window": False,
            "no_rope_layers": [1, 0, 1],
            "rope_parameters": sweep_rope("linear", factor=2.0),
        }
    },
}

EDITS = [
    {"no_rope_layers": [1, 1, 0]},
    {"no_rope_layers": [1, 2, 0, 0]},
    {"no_rope_layers": [1, 0]},
    {"no_rope_layers": []},
    {"no_rope_layers": [True, False, True]},
    {"no_rope_layer_interval": 1},
    {"no_rope_layer_interval": -2},
    {"no_rope_layer_interval": 0},
    {"no_rope_layer_interval": 0, "no_rope_layers": [1, 0, 1]},
    {"use_sliding_window": True, "sliding_window": None},
    {"use_sliding_window": True, "sliding_window": 3},
    {"use_sliding_window": True, "sliding_window": 3, "layer_types": ["sliding_attention", "sliding_attention", "full_attention"]},
    {"use_sliding_window": False, "sliding_window": 3, "layer_types": ["sliding_attention", "full_attention", "full_attention"]},
    {"use_sliding_window": False, "sliding_window": None, "layer_types": ["sliding_attention", "full_attention", "full_attention"]},
]

GGUF = {
    "smollm3": {"config": {**GGUF_SMALL, "num_hidden_layers": 5, "hidden_size": 16, "intermediate_size": 8, "rope_parameters": rope(theta=5000.0)}, "file": "f16"},
}

# the second block has no positions
LOADS = {"config": {**LOADS_GROUPED, "no_rope_layers": [1, 0]}}
