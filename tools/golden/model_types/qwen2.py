import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, SWEEP_WIDE, SWEEP_WINDOWS, SWEEP_YARN, rope, sweep_rope

FORWARD = {
    "qwen2-tied-f16": {"seed": 105, "config": {**FORWARD_GROUPED, "tie_word_embeddings": True}, "dtype": torch.float16},
    "qwen2-window-f32": {
        "seed": 106,
        "config": {**FORWARD_GROUPED, "use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1},
        "length": 40,
    },
    "qwen2-yarn-f32": {
        "seed": 128,
        "config": {**FORWARD_GROUPED, "hidden_size": 32, "rope_parameters": rope("yarn", factor=4.0, original_max_position_embeddings=128)},
        "length": FORWARD_LONG,
    },
}

SWEEP = {
    "qwen2": {"config": {**SWEEP_SMALL, **SWEEP_WINDOWS, "rope_theta": 500.0}},
    "qwen2-yarn-tied": {"config": {**SWEEP_SMALL, **SWEEP_WIDE, "tie_word_embeddings": True, "use_sliding_window": False, "rope_parameters": sweep_rope("yarn", **SWEEP_YARN)}, "length": 90},
}

EDITS = [
    {"use_sliding_window": False, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
    {"use_sliding_window": False, "layer_types": ["full_attention", "linear_attention", "full_attention"]},
    {"use_sliding_window": True, "sliding_window": None},
]

GGUF = {
    "qwen2": {"config": {**GGUF_SMALL, "tie_word_embeddings": True, "rope_parameters": rope("yarn", 1000.0, factor=4.0, original_max_position_embeddings=128)}, "file": "f16"},
}

LOADS = {"seed": 210, "config": {key: value for key, value in LOADS_GROUPED.items() if key != "head_dim"}}
