import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, rope, sweep_rope

SWEEP_COHERE = {**{key: value for key, value in SWEEP_SMALL.items() if key != "rms_norm_eps"}, "layer_norm_eps": 0.003, "logit_scale": 0.3, "pad_token_id": 3}

FORWARD = {
    "cohere-grouped-f32": {"config": {**FORWARD_GROUPED, "logit_scale": 0.8}, "length": FORWARD_LONG},
    "cohere-untied-biases-linear-f16": {
        "config": {
            **FORWARD_GROUPED,
            "head_dim": 6,
            "attention_bias": True,
            "tie_word_embeddings": False,
            "layer_norm_eps": 1e-3,
            "rope_parameters": rope("linear", 100.0, factor=2.0),
        },
        "dtype": torch.float16,
    },
}

SWEEP = {
    "cohere": {"config": {**SWEEP_COHERE, "rope_theta": 500.0, "attention_bias": False, "use_qk_norm": False}},
    "cohere-tied-biases": {
        "config": {**SWEEP_COHERE, "tie_word_embeddings": True, "attention_bias": True, "use_qk_norm": False, "rope_parameters": sweep_rope("linear", factor=2.0)},
    },
}

ARCHITECTURE = "command-r"

GGUF = {
    "command-r": {"config": {**GGUF_SMALL, "logit_scale": 0.8}, "file": "f16"},
}

LOADS = {"config": {**{key: value for key, value in LOADS_GROUPED.items() if key != "head_dim"}, "logit_scale": 1.0}}
