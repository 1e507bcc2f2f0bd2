import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, rope, sweep_rope

FORWARD = {
    "qwen3-moe-normalised-f32": {
        "config": {
            **FORWARD_GROUPED,
            "head_dim": 6,
            "num_experts": 5,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 12,
            "norm_topk_prob": True,
        },
        "length": FORWARD_LONG,
    },
    "qwen3-moe-window-biased-tied-bf16": {
        "config": {
            **FORWARD_GROUPED,
            "num_experts": 4,
            "num_experts_per_tok": 3,
            "moe_intermediate_size": 8,
            "attention_bias": True,
            "tie_word_embeddings": True,
            "use_sliding_window": True,
            "sliding_window": 5,
            "rope_parameters": rope(theta=500.0),
        },
        "dtype": torch.bfloat16,
        "length": 40,
    },
}

SWEEP_EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 12}

SWEEP = {
    "qwen3_moe": {
        "config": {
            **SWEEP_SMALL,
            **SWEEP_EXPERTS,
            "head_dim": 6,
            "rope_theta": 500.0,
            "norm_topk_prob": True,
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
            "attention_bias": False,
            "use_sliding_window": True,
            "sliding_window": 5,
            "max_window_layers": 1,
            "output_router_logits": False,
        },
    },
    "qwen3_moe-fused": {
        "config": {
            **SWEEP_SMALL,
            **SWEEP_EXPERTS,
            "norm_topk_prob": False,
            "attention_bias": True,
            "use_sliding_window": False,
            "rope_parameters": sweep_rope(),
        },
        "fused": True,
    },
}

EDITS = [
    {"use_sliding_window": True, "sliding_window": None},
    {"use_sliding_window": True, "sliding_window": 3, "layer_types": ["full_attention"] * 3},
    {"num_local_experts": 4},
    {"num_experts_per_tok": 5},
]

ARCHITECTURE = "qwen3moe"

GGUF_EXPERTS = {**GGUF_SMALL, "head_dim": 8, "num_experts": 3, "num_experts_per_tok": 2, "moe_intermediate_size": 8, "norm_topk_prob": True}

GGUF = {
    "qwen3moe": {"config": GGUF_EXPERTS, "file": "f16"},
    "qwen3moe-tied": {"config": {**GGUF_EXPERTS, "tie_word_embeddings": True}, "file": "bf16"},
}

LOADS = {"config": {**LOADS_GROUPED, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "norm_topk_prob": True}}
