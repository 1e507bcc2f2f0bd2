import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, rope, sweep_rope

ALPHA = {"alpha": 1000.0, "factor": 1.0, "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 1.0}

FORWARD = {
    "hunyuan-alpha-tied-f32": {
        "config": {**FORWARD_GROUPED, "head_dim": 6, "tie_word_embeddings": True, "rope_parameters": rope("dynamic", **ALPHA)},
        "length": FORWARD_LONG,
    },
    "hunyuan-biases-bf16": {
        "config": {**FORWARD_GROUPED, "head_dim": 4, "attention_bias": True, "rope_parameters": rope(theta=100.0)},
        "dtype": torch.bfloat16,
    },
}

SWEEP_HUNYUAN = {**SWEEP_SMALL, "head_dim": 6, "pad_token_id": 3, "eod_token_id": 3}

SWEEP = {
    "hunyuan_v1_dense": {"config": {**SWEEP_HUNYUAN, "rope_theta": 500.0, "rope_scaling": {"type": "dynamic", **ALPHA}, "attention_bias": False}},
    "hunyuan_v1_dense-tied-biases": {"config": {**SWEEP_HUNYUAN, "tie_word_embeddings": True, "attention_bias": True, "rope_parameters": sweep_rope("linear", factor=2.0)}},
}

EDITS = [
    {"rope_scaling": {"type": "dynamic", "factor": 2.0}},
    {"rope_scaling": {"type": "dynamic", "factor": 2.0, "alpha": 0.0}},
    {"rope_scaling": {"type": "dynamic", "factor": 2.0, "alpha": 50.0}, "head_dim": None},
]

ARCHITECTURE = "hunyuan-dense"

GGUF = {
    "hunyuan-dense": {"config": {**GGUF_SMALL, "head_dim": 4, "max_position_embeddings": 262144, "rope_parameters": rope("dynamic", **ALPHA)}, "file": "f16"},
    "hunyuan-dense-tied": {"config": {**GGUF_SMALL, "head_dim": 8, "tie_word_embeddings": True}, "file": "bf16"},
}

LOADS = {"config": LOADS_GROUPED}
