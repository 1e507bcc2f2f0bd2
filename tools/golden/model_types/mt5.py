import torch

from .common import FORWARD_LONG, FORWARD_T5, LOADS_T5, SWEEP_T5

FORWARD = {
    "mt5-f32": {"seed": 124, "config": {**FORWARD_T5, "num_decoder_layers": 3}, "length": FORWARD_LONG, "source": 270, "eos": 1},
    "mt5-untied-sharded-bf16": {
        "seed": 125,
        "config": {**FORWARD_T5, "relative_attention_num_buckets": 7, "relative_attention_max_distance": 20, "layer_norm_epsilon": 1e-3},
        "dtype": torch.bfloat16,
        "shard": "12KB",
        "source": 50,
        "eos": 1,
        "untied": True,
    },
}

SWEEP = {
    "mt5": {"config": {**SWEEP_T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}, "source": 30, "head": True},
    "mt5-tied": {"config": {**SWEEP_T5, "feed_forward_proj": "relu", "tie_word_embeddings": True, "dense_act_fn": "relu", "is_gated_act": False}, "source": 30},
}

EDITS = [
    {"feed_forward_proj": "gated-gelu", "dense_act_fn": "gelu_new", "is_gated_act": True},
]

ARCHITECTURE = "t5"

LOADS = {"seed": 208, "config": LOADS_T5, "source": 9}
