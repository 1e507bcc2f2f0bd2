import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, FORWARD_YARN, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, SWEEP_YARN, rope, sweep_rope

FORWARD = {
    "ministral3-growing-f32": {
        "config": {**FORWARD_GROUPED, "head_dim": 8, "rope_parameters": rope("yarn", **FORWARD_YARN)},
        "length": FORWARD_LONG,
    },
    "ministral3-window-tied-bf16": {
        "config": {
            **FORWARD_GROUPED,
            "head_dim": 4,
            "sliding_window": 7,
            "tie_word_embeddings": True,
            "rope_parameters": rope(llama_4_scaling_beta=0.5, original_max_position_embeddings=5),
        },
        "dtype": torch.bfloat16,
    },
}

SWEEP = {
    "ministral3": {
        "config": {
            **SWEEP_SMALL,
            "head_dim": 4,
            "sliding_window": None,
            "pad_token_id": 3,
            "rope_parameters": sweep_rope("yarn", **SWEEP_YARN, llama_4_scaling_beta=0.3),
        },
        "length": 90,
    },
    "ministral3-window": {
        "config": {
            **SWEEP_SMALL,
            "head_dim": 8,
            "sliding_window": 7,
            "pad_token_id": 3,
            "rope_parameters": sweep_rope(llama_4_scaling_beta=0.3, original_max_position_embeddings=16),
        },
        "length": 40,
    },
}

EDITS = [
    {"sliding_window": 7, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
]

ARCHITECTURE = "mistral3"

GGUF = {
    "mistral3": {
        "config": {
            **GGUF_SMALL,
            "head_dim": 8,
            "tie_word_embeddings": True,
            "rope_parameters": rope("yarn", factor=32.0, original_max_position_embeddings=16, beta_fast=32.0, beta_slow=1.0, mscale=1.0, mscale_all_dim=1.0, llama_4_scaling_beta=0.2),
        },
        "file": "f16",
    },
}

LOADS = {"config": {**LOADS_GROUPED, "rope_parameters": rope("yarn", **FORWARD_YARN)}}
