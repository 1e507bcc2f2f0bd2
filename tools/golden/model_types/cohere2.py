import torch

from .cohere import SWEEP_COHERE
from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_SMALL, LOADS_GROUPED, rope, sweep_rope

FORWARD = {
    "cohere2-sliding-f32": {"config": {**FORWARD_GROUPED, "num_hidden_layers": 4, "sliding_window": 6, "logit_scale": 0.8}, "length": FORWARD_LONG},
    "cohere2-types-biases-untied-bf16": {
        "config": {
            **FORWARD_GROUPED,
            "sliding_window": 5,
            "layer_types": ["full_attention", "sliding_attention"],
            "attention_bias": True,
            "tie_word_embeddings": False,
            "rope_parameters": rope(theta=100.0),
        },
        "dtype": torch.bfloat16,
    },
}

SWEEP = {
    "cohere2": {"config": {**SWEEP_COHERE, "rope_theta": 500.0, "attention_bias": False, "sliding_window": 6, "sliding_window_pattern": 3}},
    "cohere2-types-tied": {
        "config": {
            **SWEEP_COHERE,
            "tie_word_embeddings": True,
            "attention_bias": True,
            "sliding_window": 5,
            "layer_types": ["full_attention", "sliding_attention", "sliding_attention"],
            "rope_parameters": sweep_rope("linear", factor=2.0),
        },
    },
}

EDITS = [
    {"sliding_window_pattern": 1},
    {"sliding_window_pattern": 0},
    {"sliding_window_pattern": -2},
    {"layer_types": ["full_attention"] * 3, "sliding_window": None},
    {"head_dim": 6},
]

# the converter asks for the share that turns, which transformers does not have
GGUF_COHERE = {**GGUF_SMALL, "logit_scale": 0.8, "sliding_window": 5, "rotary_pct": 1.0, "hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2, "num_key_value_heads": 1}

GGUF = {
    "cohere2": {"config": {**GGUF_COHERE, "num_hidden_layers": 5}, "file": "f16"},
}

LOADS = {"config": {**LOADS_GROUPED, "sliding_window": 8, "logit_scale": 1.0, "layer_types": ["sliding_attention", "full_attention"]}}
