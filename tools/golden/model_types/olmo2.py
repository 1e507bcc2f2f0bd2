import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, rope, sweep_rope

FORWARD = {
    "olmo2-grouped-f32": {"config": FORWARD_GROUPED, "length": FORWARD_LONG},
    "olmo2-tied-biases-bf16": {
        "config": {**FORWARD_GROUPED, "attention_bias": True, "tie_word_embeddings": True, "rope_parameters": rope("linear", 100.0, factor=2.0)},
        "dtype": torch.bfloat16,
    },
}

SWEEP_OLMO = {**SWEEP_SMALL, "pad_token_id": 3}

SWEEP = {
    "olmo2": {"config": {**SWEEP_OLMO, "rope_theta": 500.0, "attention_bias": False}},
    "olmo2-tied-biases": {"config": {**SWEEP_OLMO, "tie_word_embeddings": True, "attention_bias": True, "rope_parameters": sweep_rope("linear", factor=2.0)}},
}

GGUF = {
    "olmo2": {"config": GGUF_SMALL, "file": "f16"},
}

LOADS = {"config": {key: value for key, value in LOADS_GROUPED.items() if key != "head_dim"}}
