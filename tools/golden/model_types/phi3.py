import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, SWEEP_WIDE, rope, sweep_rope

SWEEP_FACTORS = {"short_factor": [1.0, 1.1, 1.3, 1.5], "long_factor": [1.2, 2.0, 4.0, 8.0]}

FORWARD = {
    "phi3-window-f32": {"seed": 118, "config": {**FORWARD_GROUPED, "sliding_window": 9}, "length": FORWARD_LONG},
    "phi3-partial-tied-f16": {
        "seed": 119,
        "config": {
            **FORWARD_GROUPED,
            "hidden_size": 32,
            "tie_word_embeddings": True,
            "rope_parameters": rope(partial_rotary_factor=0.5),
        },
        "dtype": torch.float16,
    },
    "phi3-longrope-short-f32": {
        "seed": 130,
        "config": {
            **FORWARD_GROUPED,
            "hidden_size": 32,
            "original_max_position_embeddings": 64,
            "rope_parameters": rope("longrope", short_factor=[1.0, 1.1, 1.3, 1.5], long_factor=[1.2, 2.0, 4.0, 8.0]),
        },
        "length": 60,
    },
    "phi3-longrope-long-f16": {
        "seed": 131,
        "config": {
            **FORWARD_GROUPED,
            "hidden_size": 32,
            "original_max_position_embeddings": 64,
            "rope_parameters": rope(
                "longrope", partial_rotary_factor=0.75, short_factor=[1.0, 1.1, 1.3], long_factor=[1.2, 2.0, 4.0]
            ),
        },
        "dtype": torch.float16,
        "length": 100,
    },
}

SWEEP = {
    "phi3": {"config": {**SWEEP_SMALL, "rope_theta": 500.0, "sliding_window": 9, "original_max_position_embeddings": 512, "pad_token_id": None, "embd_pdrop": 0.0, "resid_pdrop": 0.0}},
    "phi3-longrope": {
        "config": {**SWEEP_SMALL, **SWEEP_WIDE, "rope_theta": 500.0, "pad_token_id": None, "original_max_position_embeddings": 64, "rope_scaling": {"type": "longrope", **SWEEP_FACTORS}, "partial_rotary_factor": 1.0, "sliding_window": None},
        "length": 60,
    },
    "phi3-longrope-long": {
        "config": {**SWEEP_SMALL, **SWEEP_WIDE, "pad_token_id": None, "original_max_position_embeddings": 64, "rope_parameters": sweep_rope("longrope", partial_rotary_factor=1.0, original_max_position_embeddings=64, **SWEEP_FACTORS), "sliding_window": None},
        "length": 90,
    },
}

EDITS = [
    {"rope_scaling": {"type": "longrope", "short_factor": [1.0, 1.1], "long_factor": [1.5, 3.0]}, "original_max_position_embeddings": 16},
]

GGUF = {
    "phi3": {"config": {**GGUF_SMALL, "num_attention_heads": 2, "num_key_value_heads": 1, "rope_parameters": rope(partial_rotary_factor=0.5, original_max_position_embeddings=512)}, "file": "f16"},
}

LOADS = {"seed": 209, "config": {key: value for key, value in LOADS_GROUPED.items() if key != "head_dim"}}
