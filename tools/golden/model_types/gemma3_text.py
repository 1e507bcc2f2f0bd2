import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_GEMMA, LOADS_GEMMA, SWEEP_GEMMA, rope, sweep_rope

FORWARD = {
    "gemma3-alternating-f32": {
        "seed": 116,
        "config": {
            **FORWARD_GROUPED,
            "num_hidden_layers": 3,
            "head_dim": 8,
            "sliding_window": 6,
            "query_pre_attn_scalar": 10,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "rope_parameters": {
                "full_attention": rope("linear", 1000.0, factor=4.0),
                "sliding_attention": rope(theta=50.0),
            },
        },
        "length": FORWARD_LONG,
    },
    "gemma3-softcap-untied-f16": {
        "seed": 117,
        "config": {**FORWARD_GROUPED, "head_dim": 4, "final_logit_softcapping": 4.0, "tie_word_embeddings": False},
        "dtype": torch.float16,
    },
}

SWEEP = {
    "gemma3_text": {
        "config": {**SWEEP_GEMMA, "rope_theta": 500.0, "rope_local_base_freq": 50.0, "sliding_window_pattern": 3, "rope_scaling": {"rope_type": "linear", "factor": 4.0}, "final_logit_softcapping": None},
    },
    "gemma3_text-nested": {
        "config": {
            **SWEEP_GEMMA,
            "tie_word_embeddings": False,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "rope_parameters": {"full_attention": sweep_rope("linear", 1000.0, factor=4.0), "sliding_attention": sweep_rope(theta=50.0)},
            "final_logit_softcapping": 4.0,
        },
    },
}

EDITS = [
    {"rope_parameters": None, "rope_scaling": None},
]

ARCHITECTURE = "gemma3"

GGUF = {
    "gemma3": {"config": {**GGUF_GEMMA, "num_hidden_layers": 7, "hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2, "num_key_value_heads": 1}, "file": "f16"},
}

LOADS = {"seed": 202, "config": {**LOADS_GEMMA, "layer_types": ["sliding_attention", "full_attention"]}}
