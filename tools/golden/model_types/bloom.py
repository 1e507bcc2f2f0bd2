from .common import SWEEP_VOCABULARY

SWEEP_BLOOM = {
    "vocab_size": SWEEP_VOCABULARY,
    "hidden_size": 16,
    "n_layer": 2,
    "n_head": 4,
    "layer_norm_epsilon": 0.003,
    "apply_residual_connection_post_layernorm": False,
    "tie_word_embeddings": True,
    "seq_length": 512,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 3,
    "pretraining_tp": 1,
    "slow_but_exact": False,
    "use_cache": True,
}

SWEEP = {
    "bloom": {"config": SWEEP_BLOOM},
    "bloom-residual-untied": {"config": {**SWEEP_BLOOM, "apply_residual_connection_post_layernorm": True, "tie_word_embeddings": False}},
}

EDITS = [
    {"slow_but_exact": True, "pretraining_tp": 2},
    {"slow_but_exact": True, "pretraining_tp": 4},
]

GGUF = {
    "bloom": {"config": {"hidden_size": 12, "n_layer": 1, "n_head": 3}, "file": "f16"},
}

LOADS = {"seed": 200, "config": {"hidden_size": 64, "n_layer": 2, "n_head": 4}}
