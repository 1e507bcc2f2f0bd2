import torch

from .common import FORWARD_LONG, FORWARD_TEXT, GEMMA_IMAGES, LOADS_GEMMA, SWEEP_GEMMA

GEMMA_TEXT = {
    **FORWARD_TEXT,
    "num_hidden_layers": 3,
    "head_dim": 8,
    "sliding_window": 6,
    "query_pre_attn_scalar": 10,
    "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
}

FORWARD = {
    "gemma3-images-f32": {"config": {"text_config": GEMMA_TEXT, **GEMMA_IMAGES}, "length": FORWARD_LONG},
    "gemma3-images-own-names-bf16": {
        "config": {"text_config": GEMMA_TEXT, "tie_word_embeddings": False, **GEMMA_IMAGES},
        "dtype": torch.bfloat16,
        "own_names": True,
    },
}

SWEEP_TEXT = {**SWEEP_GEMMA, "model_type": "gemma3_text", "sliding_window_pattern": 3}

SWEEP = {
    "gemma3": {"config": {"text_config": SWEEP_TEXT, **GEMMA_IMAGES, "tie_word_embeddings": True}},
}

EDITS = [
    {"text_config": {**SWEEP_TEXT, **changes}}
    for changes in (
        {"model_type": "llama"},
        {"model_type": None},
        {"tie_word_embeddings": False},
        {"final_logit_softcapping": 4.0},
        {"rms_norm_eps": 0.1},
        {"rope_scaling": {"rope_type": "linear", "factor": 4.0}},
        {"use_bidirectional_attention": True},
        {"pad_token_id": 64},
    )
]

LOADS = {"config": {"text_config": {**LOADS_GEMMA, "vocab_size": 64, "layer_types": ["sliding_attention", "full_attention"]}, **GEMMA_IMAGES}}
