import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, rope, sweep_rope

FORWARD = {
    "gpt-oss-windows-f32": {
        "config": {
            **FORWARD_GROUPED,
            "num_hidden_layers": 3,
            "head_dim": 6,
            "num_local_experts": 5,
            "num_experts_per_tok": 2,
            "sliding_window": 7,
            "swiglu_limit": 1.5,
            "rope_parameters": rope("yarn", 150.0, factor=8.0, original_max_position_embeddings=64, beta_fast=32.0, beta_slow=1.0, truncate=False),
        },
        "length": FORWARD_LONG,
        "grams": {"block": 1, "expert": 3},
    },
    "gpt-oss-mxfp4-bf16": {
        "config": {
            **FORWARD_GROUPED,
            "hidden_size": 32,
            "intermediate_size": 64,
            "head_dim": 8,
            "num_local_experts": 3,
            "num_experts_per_tok": 2,
            "sliding_window": 6,
        },
        "dtype": torch.bfloat16,
        "mxfp4": True,
        "length": 40,
    },
    "gpt-oss-unbiased-tied-bf16": {
        "config": {
            **FORWARD_GROUPED,
            "intermediate_size": 12,
            "head_dim": 8,
            "num_local_experts": 4,
            "num_experts_per_tok": 3,
            "layer_types": ["full_attention", "sliding_attention"],
            "sliding_window": 5,
            "swiglu_alpha": 1.1,
            "swiglu_limit": 2.0,
            "attention_bias": False,
            "tie_word_embeddings": True,
            "rope_parameters": rope(theta=500.0),
        },
        "dtype": torch.bfloat16,
        "length": 40,
    },
}

SWEEP_EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}

SWEEP = {
    "gpt_oss": {
        "config": {
            **{key: value for key, value in SWEEP_SMALL.items() if key != "hidden_act"},
            **SWEEP_EXPERTS,
            "head_dim": 6,
            "sliding_window": 5,
            "swiglu_alpha": 1.3,
            "swiglu_limit": 1.5,
            "attention_bias": False,
            "output_router_logits": False,
            "rope_parameters": sweep_rope("yarn", factor=4.0, original_max_position_embeddings=64, truncate=False),
        },
        "fused": True,
    },
}

EDITS = [
    {"sliding_window": None},
    {"layer_types": ["full_attention"] * 3},
    {"layer_types": ["full_attention"] * 3, "sliding_window": None},
    {"num_experts": 4},
    {"num_experts_per_tok": 5},
]

ARCHITECTURE = "gpt-oss"

GGUF_EXPERTS = {
    **GGUF_SMALL,
    "num_hidden_layers": 2,
    "head_dim": 8,
    "num_local_experts": 3,
    "num_experts_per_tok": 2,
    "sliding_window": 6,
    "rope_parameters": rope("yarn", 150000.0, factor=32.0, original_max_position_embeddings=16, beta_fast=32.0, beta_slow=1.0, truncate=False),
}

GGUF = {"gpt-oss": {"config": GGUF_EXPERTS, "file": "f16"}}

LOADS = {"config": {**LOADS_GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2, "intermediate_size": 32, "sliding_window": 8}}
