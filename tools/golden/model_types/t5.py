import torch

from .common import FORWARD_T5, LOADS_T5, SWEEP_T5

GGUF_T5 = {"d_model": 8, "d_kv": 6, "d_ff": 16, "num_layers": 1, "num_heads": 4, "pad_token_id": 0, "decoder_start_token_id": 0}

FORWARD = {
    "t5-relu-tied-f32": {"seed": 126, "config": {**FORWARD_T5, "num_layers": 1, "num_decoder_layers": 1}, "source": 9, "eos": 1},
    "t5-untied-f16": {
        "seed": 127,
        "config": {**FORWARD_T5, "feed_forward_proj": "gated-silu", "decoder_start_token_id": 3},
        "dtype": torch.float16,
        "length": 40,
        "source": 60,
        "eos": 1,
        "untied": True,
    },
}

SWEEP = {
    "t5": {"config": {**SWEEP_T5, "feed_forward_proj": "relu", "tie_word_embeddings": True}, "source": 30},
    "t5-gated-own-head": {"config": {**SWEEP_T5, "feed_forward_proj": "gated-silu", "tie_word_embeddings": False}, "source": 30, "head": True},
}

EDITS = [
    {"feed_forward_proj": "relu", "dense_act_fn": "gelu_new", "is_gated_act": False},
    {"tie_word_embeddings": False, "scale_decoder_outputs": True},
    {"tie_word_embeddings": True, "scale_decoder_outputs": False},
]

GGUF = {
    "t5": {"config": GGUF_T5, "file": "f16"},
    "t5-gated": {"config": {**GGUF_T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}, "file": "f16"},
}

LOADS = {"seed": 213, "config": LOADS_T5, "source": 9}
