import torch

from .common import FORWARD_LONG, FORWARD_SMALL, GGUF_SMALL, LOADS_PLAIN, SWEEP_SMALL, rope, sweep_rope

SWEEP_NEOX = {**{key: value for key, value in SWEEP_SMALL.items() if key not in ("num_key_value_heads", "rms_norm_eps")}, "hidden_size": 32}

FORWARD = {
    "gpt-neox-parallel-f32": {"seed": 112, "config": {**FORWARD_SMALL, "num_attention_heads": 2}, "length": FORWARD_LONG},
    "gpt-neox-serial-bf16": {
        "seed": 113,
        "config": {
            **FORWARD_SMALL,
            "use_parallel_residual": False,
            "attention_bias": False,
            "tie_word_embeddings": True,
            "rope_parameters": rope(theta=500.0, partial_rotary_factor=1.0),
        },
        "dtype": torch.bfloat16,
    },
}

SWEEP = {
    "gpt_neox": {"config": {**SWEEP_NEOX, "layer_norm_eps": 0.003, "rotary_emb_base": 500, "rotary_pct": 0.5, "use_parallel_residual": True, "attention_bias": True}},
    "gpt_neox-serial-tied": {
        "config": {**SWEEP_NEOX, "layer_norm_eps": 0.003, "tie_word_embeddings": True, "use_parallel_residual": False, "attention_bias": False, "rope_parameters": sweep_rope(partial_rotary_factor=1.0)},
    },
}

ARCHITECTURE = "gptneox"

GGUF = {
    "gptneox": {"config": {**GGUF_SMALL, "num_attention_heads": 2, "rope_parameters": rope(partial_rotary_factor=0.5)}, "file": "f16"},
}

LOADS = {"seed": 204, "config": LOADS_PLAIN}
