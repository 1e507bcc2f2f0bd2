import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, FORWARD_SMALL, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, SWEEP_WIDE, SWEEP_YARN, rope, sweep_rope

FORWARD = {
    "seed-oss-grouped-f32": {"config": {**FORWARD_GROUPED, "head_dim": 6}, "length": FORWARD_LONG},
    "seed-oss-output-biases-tied-f16": {
        "config": {
            **FORWARD_SMALL,
            "num_key_value_heads": 1,
            "head_dim": None,
            "tie_word_embeddings": True,
            "attention_bias": False,
            "attention_out_bias": True,
            "mlp_bias": True,
            "rope_parameters": rope("linear", 100.0, factor=2.0),
        },
        "dtype": torch.float16,
    },
}

# Keys that other types of the family do not have, none with its default.
SWEEP_OWN = {"pad_token_id": 3, "residual_dropout": 0.0, "pretraining_tp": 2}

SWEEP = {
    "seed_oss": {
        "config": {**SWEEP_SMALL, **SWEEP_OWN, "rope_theta": 500.0, "head_dim": 6, "attention_bias": False, "attention_out_bias": True, "mlp_bias": True},
    },
    "seed_oss-biases-tied": {
        "config": {**SWEEP_SMALL, **SWEEP_OWN, **SWEEP_WIDE, "head_dim": 8, "attention_bias": True, "attention_out_bias": False, "mlp_bias": False, "tie_word_embeddings": True, "rope_parameters": sweep_rope("yarn", **SWEEP_YARN)},
        "length": 90,
    },
}

EDITS = [{"attention_out_bias": True}, {"attention_out_bias": False}]

GGUF = {
    "seed_oss": {"config": {**GGUF_SMALL, "head_dim": 6, "rope_parameters": rope(theta=5000.0)}, "file": "f16"},
    "seed_oss-plain-tied": {
        "config": {**GGUF_SMALL, "head_dim": 8, "attention_bias": False, "tie_word_embeddings": True, "rope_parameters": rope("yarn", 1000.0, factor=4.0, original_max_position_embeddings=128)},
        "file": "bf16",
    },
}

LOADS = {"config": LOADS_GROUPED}
