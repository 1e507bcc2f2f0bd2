import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, SWEEP_WINDOWS, rope, sweep_rope

FORWARD = {
    "qwen3-bias-f32": {"seed": 107, "config": {**FORWARD_GROUPED, "head_dim": 8, "attention_bias": True}, "length": FORWARD_LONG},
    "qwen3-tied-f16": {"seed": 108, "config": {**FORWARD_GROUPED, "head_dim": 4, "tie_word_embeddings": True}, "dtype": torch.float16},
    "qwen3-yarn-mscale-f16": {
        "seed": 129,
        "config": {
            **FORWARD_GROUPED,
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
}

SWEEP = {
    "qwen3": {"config": {**SWEEP_SMALL, **SWEEP_WINDOWS, "head_dim": 8, "rope_theta": 500.0, "attention_bias": False}},
    "qwen3-yarn-biases": {
        "config": {**SWEEP_SMALL, "head_dim": 8, "attention_bias": True, "rope_parameters": sweep_rope("yarn", factor=4.0, original_max_position_embeddings=64, mscale=0.7, mscale_all_dim=0.4, truncate=False)},
        "length": 90,
    },
    "qwen3-head-128": {"config": {**SWEEP_SMALL, "rope_theta": 500.0, "tie_word_embeddings": True}},
}

EDITS = [
    {"use_sliding_window": False, "layer_types": ["full_attention", "linear_attention", "full_attention"]},
    {"use_sliding_window": False, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
    {"use_sliding_window": True, "sliding_window": None},
]

GGUF = {
    "qwen3": {"config": {**GGUF_SMALL, "head_dim": 6}, "file": "f16"},
}

LOADS = {"seed": 212, "config": LOADS_GROUPED}
