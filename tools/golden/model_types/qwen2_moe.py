import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, SWEEP_WINDOWS, sweep_rope

LOADS_QWEN_EXPERTS = {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 64,
}

FORWARD = {
    "qwen2-moe-f32": {
        "seed": 132,
        "config": {
            **FORWARD_GROUPED,
            "num_experts": 5,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 12,
            "shared_expert_intermediate_size": 20,
        },
        "length": FORWARD_LONG,
    },
    "qwen2-moe-window-normalised-bf16": {
        "seed": 133,
        "config": {
            **FORWARD_GROUPED,
            "num_experts": 4,
            "num_experts_per_tok": 3,
            "moe_intermediate_size": 8,
            "shared_expert_intermediate_size": 16,
            "norm_topk_prob": True,
            "qkv_bias": False,
            "tie_word_embeddings": True,
            "use_sliding_window": True,
            "sliding_window": 5,
            "max_window_layers": 2,
        },
        "dtype": torch.bfloat16,
        "length": 40,
    },
    "qwen2-moe-small-gates-f32": {
        "seed": 134,
        "config": {
            **FORWARD_GROUPED,
            "num_experts": 3,
            "num_experts_per_tok": 1,
            "moe_intermediate_size": 8,
            "shared_expert_intermediate_size": 20,
        },
        "length": 100,
        "shared_gates": (-10.0, -30.0),
    },
}

SWEEP = {
    "qwen2_moe": {
        "config": {
            **SWEEP_SMALL,
            **SWEEP_WINDOWS,
            "rope_theta": 500.0,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 12,
            "shared_expert_intermediate_size": 20,
            "norm_topk_prob": True,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
            "qkv_bias": True,
            "output_router_logits": False,
        },
    },
    "qwen2_moe-fused": {
        "config": {
            **SWEEP_SMALL,
            "num_experts": 3,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 12,
            "shared_expert_intermediate_size": 20,
            "qkv_bias": False,
            "rope_parameters": sweep_rope(),
        },
        "fused": True,
    },
}

EDITS = [
    {"use_sliding_window": False, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
    {"use_sliding_window": True, "sliding_window": None},
]

ARCHITECTURE = "qwen2moe"

GGUF = {
    "qwen2moe": {"config": {**GGUF_SMALL, "num_experts": 3, "num_experts_per_tok": 2, "moe_intermediate_size": 8, "shared_expert_intermediate_size": 16}, "file": "f16"},
}

LOADS = {"seed": 211, "config": {**{key: value for key, value in LOADS_GROUPED.items() if key != "head_dim"}, **LOADS_QWEN_EXPERTS}}
