import torch

from .common import FORWARD_T5, LOADS_T5, SWEEP_T5

FORWARD = {
    "umt5-f32": {"seed": 325, "config": {**FORWARD_T5, "num_decoder_layers": 3}, "length": 40, "source": 60, "eos": 1},
    "umt5-unscaled-bf16": {
        "seed": 326,
        "config": {**FORWARD_T5, "feed_forward_proj": "gated-silu", "tie_word_embeddings": False},
        "dtype": torch.bfloat16,
        "source": 9,
        "eos": 1,
        "untied": True,
    },
}

SWEEP = {
    "umt5": {"config": {**SWEEP_T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}, "source": 30, "head": True},
}

EDITS = [
    {"tie_word_embeddings": False, "scale_decoder_outputs": True},
    {"tie_word_embeddings": True, "scale_decoder_outputs": False},
]

LOADS = {"seed": 327, "config": LOADS_T5, "source": 9}
