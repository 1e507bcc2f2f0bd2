import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, FORWARD_SMALL, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, SWEEP_WIDE, SWEEP_YARN, rope, sweep_rope

SWEEP_LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
GGUF_WIDE = {**GGUF_SMALL, "hidden_size": 32, "intermediate_size": 32, "num_key_value_heads": 4}
GGUF_LLAMA3 = rope("llama3", 500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)
GGUF_ODD = rope("llama3", 100.0, factor=4.0, low_freq_factor=1.0, high_freq_factor=2.0, original_max_position_embeddings=32)

FORWARD = {
    "llama-grouped-f32": {"seed": 100, "config": FORWARD_GROUPED, "length": FORWARD_LONG},
    "llama-tied-biases-linear-f16": {
        "seed": 101,
        "config": {
            **FORWARD_SMALL,
            "head_dim": 6,
            "num_key_value_heads": 1,
            "tie_word_embeddings": True,
            "attention_bias": True,
            "mlp_bias": True,
            "rope_parameters": rope("linear", factor=2.0),
        },
        "dtype": torch.float16,
    },
    "llama-llama3-sharded-bf16": {
        "seed": 102,
        "config": {
            **FORWARD_SMALL,
            "hidden_size": 24,
            "num_attention_heads": 3,
            "rope_parameters": rope(
                "llama3", 100.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64
            ),
        },
        "dtype": torch.bfloat16,
        "shard": "12KB",
        "length": 100,
    },
}

SWEEP = {
    "llama": {"config": {**SWEEP_SMALL, "rope_theta": 500.0, "head_dim": 4, "attention_bias": False, "mlp_bias": False}},
    "llama-biases-tied": {
        "config": {**SWEEP_SMALL, "head_dim": 6, "attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True, "rope_parameters": sweep_rope("linear", factor=2.0)},
    },
    "llama-own-head": {"config": {**SWEEP_SMALL, "tie_word_embeddings": True, "rope_theta": 500.0}, "head": True},
    "llama-llama3": {"config": {**SWEEP_SMALL, **SWEEP_WIDE, "rope_theta": 500.0, "rope_scaling": {"rope_type": "llama3", **SWEEP_LLAMA3}}, "length": 90},
    "llama-yarn": {"config": {**SWEEP_SMALL, **SWEEP_WIDE, "rope_parameters": sweep_rope("yarn", **SWEEP_YARN)}, "length": 90},
}

GGUF = {
    "llama": {"config": {**GGUF_SMALL, "attention_bias": True, "rope_parameters": GGUF_LLAMA3, "head_dim": 8}, "file": "f16"},
    "llama-odd-factors": {"config": {**GGUF_SMALL, "tie_word_embeddings": True, "rope_parameters": GGUF_ODD}, "file": "bf16"},
    "llama-q8": {"config": GGUF_WIDE, "file": "q8_0"},
}

LOADS = {"seed": 205, "config": LOADS_GROUPED}
