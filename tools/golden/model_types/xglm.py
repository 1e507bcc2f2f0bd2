import torch

from .common import FORWARD_LONG, SWEEP_VOCABULARY

FORWARD_XGLM = {"d_model": 16, "num_layers": 2, "attention_heads": 4, "ffn_dim": 24, "max_position_embeddings": 320}
SWEEP_XGLM = {
    "vocab_size": SWEEP_VOCABULARY,
    "max_position_embeddings": 320,
    "d_model": 16,
    "ffn_dim": 24,
    "num_layers": 2,
    "attention_heads": 4,
    "activation_function": "relu",
    "scale_embedding": True,
    "tie_word_embeddings": True,
    "decoder_start_token_id": 2,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "use_cache": True,
}

FORWARD = {
    "xglm-f32": {"seed": 120, "config": FORWARD_XGLM, "length": FORWARD_LONG, "pad": 1},
    "xglm-unscaled-untied-bf16": {
        "seed": 121,
        "config": {**FORWARD_XGLM, "scale_embedding": False, "tie_word_embeddings": False, "activation_function": "gelu_new"},
        "dtype": torch.bfloat16,
        "pad": 1,
    },
}

SWEEP = {
    "xglm": {"config": SWEEP_XGLM},
    "xglm-unscaled-untied": {"config": {**SWEEP_XGLM, "scale_embedding": False, "tie_word_embeddings": False}},
}

LOADS = {"seed": 214, "config": {"d_model": 64, "num_layers": 2, "attention_heads": 4, "ffn_dim": 96, "max_position_embeddings": 128}}
