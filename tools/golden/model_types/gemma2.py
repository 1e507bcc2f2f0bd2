import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_GEMMA, LOADS_GEMMA, SWEEP_GEMMA, sweep_rope

FORWARD = {
    "gemma2-window-softcap-f32": {
        "seed": 114,
        "config": {
            **FORWARD_GROUPED,
            "num_hidden_layers": 3,
            "head_dim": 8,
            "sliding_window": 5,
            "query_pre_attn_scalar": 12,
            "attn_logit_softcapping": 2.0,
            "final_logit_softcapping": 5.0,
        },
        "length": FORWARD_LONG,
    },
    "gemma2-plain-bf16": {
        "seed": 115,
        "config": {
            **FORWARD_GROUPED,
            "head_dim": 4,
            "attention_bias": True,
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
        },
        "dtype": torch.bfloat16,
    },
}

SWEEP = {
    "gemma2": {"config": {**SWEEP_GEMMA, "rope_theta": 500.0, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 5.0}},
    "gemma2-plain-types": {
        "config": {
            **SWEEP_GEMMA,
            "layer_types": ["full_attention", "sliding_attention", "sliding_attention"],
            "rope_parameters": sweep_rope(),
            "attn_logit_softcapping": None,
            "final_logit_softcapping": None,
            "attention_bias": True,
        },
    },
}

EDITS = [
    {"sliding_window": 4, "layer_types": ["sliding_attention", "sliding_attention", "full_attention"]},
]

GGUF = {
    "gemma2": {"config": {**GGUF_GEMMA, "num_hidden_layers": 2, "hidden_size": 8, "intermediate_size": 12, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 5.0}, "file": "f16"},
}

LOADS = {"seed": 201, "config": LOADS_GEMMA}
