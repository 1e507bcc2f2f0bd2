import torch

from .common import FORWARD_LONG, SWEEP_VOCABULARY

FORWARD_GPT2 = {"n_embd": 16, "n_layer": 2, "n_head": 4, "n_positions": 320}
SWEEP_GPT2 = {
    "vocab_size": SWEEP_VOCABULARY,
    "n_positions": 320,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 4,
    "n_inner": 24,
    "activation_function": "gelu",
    "layer_norm_epsilon": 0.003,
    "scale_attn_weights": True,
    "scale_attn_by_inverse_layer_idx": False,
    "reorder_and_upcast_attn": False,
    "tie_word_embeddings": True,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "use_cache": True,
}

FORWARD = {
    "gpt2-f32": {"seed": 109, "config": FORWARD_GPT2, "length": FORWARD_LONG},
    "gpt2-base-untied-f16": {
        "seed": 110,
        "config": {**FORWARD_GPT2, "n_inner": 20, "activation_function": "relu"},
        "dtype": torch.float16,
        "base": True,
    },
    "gpt2-untied-sharded-bf16": {
        "seed": 111,
        "config": {**FORWARD_GPT2, "tie_word_embeddings": False, "layer_norm_epsilon": 1e-3},
        "dtype": torch.bfloat16,
        "shard": "10KB",
    },
}

SWEEP = {
    "gpt2": {"config": SWEEP_GPT2},
    "gpt2-untied": {"config": {**SWEEP_GPT2, "tie_word_embeddings": False, "n_inner": 64}},
    "gpt2-own-head": {"config": SWEEP_GPT2, "head": True},
}

GGUF = {
    "gpt2": {"config": {"n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 64}, "file": "f32"},
}

LOADS = {"seed": 203, "config": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_inner": 96, "n_positions": 128}}
