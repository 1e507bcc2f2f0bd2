import torch

from .common import FORWARD_LONG, FORWARD_TEXT, FORWARD_YARN, LOADS_GROUPED, MISTRAL_IMAGES, SWEEP_SMALL, rope

FORWARD = {
    "mistral3-mistral-untied-bf16": {
        "config": {
            "text_config": {**FORWARD_TEXT, "model_type": "mistral", "head_dim": 8, "sliding_window": None},
            "tie_word_embeddings": False,
            **MISTRAL_IMAGES,
        },
        "dtype": torch.bfloat16,
    },
    "mistral3-ministral3-f32": {
        "config": {"text_config": {**FORWARD_TEXT, "model_type": "ministral3", "head_dim": 4, "rope_parameters": rope("yarn", **FORWARD_YARN)}, **MISTRAL_IMAGES},
        "length": FORWARD_LONG,
    },
}

SWEEP_TEXT = {**SWEEP_SMALL, "model_type": "mistral", "head_dim": 8, "sliding_window": None}

SWEEP = {
    "mistral3": {"config": {"text_config": SWEEP_TEXT, **MISTRAL_IMAGES, "tie_word_embeddings": False}},
}

EDITS = [
    {"text_config": {**SWEEP_TEXT, **changes}}
    for changes in ({"model_type": "llama"}, {"tie_word_embeddings": True}, {"sliding_window": 5}, {"rms_norm_eps": 0.1})
]

LOADS = {
    "config": {
        "text_config": {**LOADS_GROUPED, "model_type": "ministral3", "vocab_size": 64, "rope_parameters": rope("yarn", **FORWARD_YARN)},
        "tie_word_embeddings": False,
        **MISTRAL_IMAGES,
    },
}
