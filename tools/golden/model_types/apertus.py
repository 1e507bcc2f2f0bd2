import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, rope, sweep_rope

LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}

FORWARD = {
    "apertus-llama3-f32": {
        "config": {**FORWARD_GROUPED, "head_dim": 6, "rope_parameters": rope("llama3", 100.0, original_max_position_embeddings=64, **LLAMA3)},
        "length": FORWARD_LONG,
    },
    "apertus-tied-biases-bf16": {
        "config": {**FORWARD_GROUPED, "attention_bias": True, "tie_word_embeddings": True, "rope_parameters": rope(theta=100.0)},
        "dtype": torch.bfloat16,
    },
}

SWEEP_APERTUS = {**SWEEP_SMALL, "hidden_act": "xielu", "pad_token_id": 3}

SWEEP = {
    "apertus": {"config": {**SWEEP_APERTUS, "rope_theta": 500.0, "rope_scaling": {"rope_type": "llama3", "original_max_position_embeddings": 64, **LLAMA3}, "attention_bias": False}},
    "apertus-tied-biases": {"config": {**SWEEP_APERTUS, "tie_word_embeddings": True, "attention_bias": True, "rope_parameters": sweep_rope("linear", factor=2.0)}},
}

EDITS = [
    {"rope_scaling": None, "rope_theta": 300.0},
    {"rope_scaling": None, "rope_theta": 300.0, "rope_parameters": None},
    {"rope_parameters": {"rope_theta": 300.0}},
    {"head_dim": 6},
]

GGUF = {
    "apertus": {
        "config": {**GGUF_SMALL, "num_hidden_layers": 2, "hidden_size": 16, "intermediate_size": 8, "rope_parameters": rope("llama3", 5000.0, original_max_position_embeddings=8192, **LLAMA3)},
        "file": "f16",
    },
}

LOADS = {"config": LOADS_GROUPED}
