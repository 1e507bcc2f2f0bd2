import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, FORWARD_SMALL, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, sweep_rope

SWEEP_GRANITE = {"embedding_multiplier": 6.0, "attention_multiplier": 0.3, "residual_multiplier": 0.4, "logits_scaling": 3.0}

FORWARD = {
    "granite-multipliers-f32": {
        "seed": 122,
        "config": {
            **FORWARD_GROUPED,
            "embedding_multiplier": 12.0,
            "attention_multiplier": 0.3,
            "residual_multiplier": 0.22,
            "logits_scaling": 0.5,
        },
        "length": FORWARD_LONG,
    },
    "granite-tied-biases-bf16": {
        "seed": 123,
        "config": {
            **FORWARD_SMALL,
            "num_key_value_heads": 1,
            "tie_word_embeddings": True,
            "attention_bias": True,
            "mlp_bias": True,
            "embedding_multiplier": 3.0,
            "residual_multiplier": 0.5,
            "logits_scaling": 4.0,
        },
        "dtype": torch.bfloat16,
    },
}

SWEEP = {
    "granite": {"config": {**SWEEP_SMALL, **SWEEP_GRANITE, "rope_theta": 500.0, "head_dim": 4, "attention_bias": False, "mlp_bias": False}},
    "granite-biases-tied": {
        "config": {**SWEEP_SMALL, **SWEEP_GRANITE, "head_dim": 6, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True, "rope_parameters": sweep_rope("linear", factor=2.0)},
    },
}

GGUF = {
    "granite": {"config": {**GGUF_SMALL, "embedding_multiplier": 3.0, "attention_multiplier": 0.3, "residual_multiplier": 0.25, "logits_scaling": 2.5}, "file": "f16"},
}

LOADS = {"seed": 215, "config": {**LOADS_GROUPED, "embedding_multiplier": 3.0, "attention_multiplier": 0.3, "residual_multiplier": 0.5, "logits_scaling": 2.0}}
