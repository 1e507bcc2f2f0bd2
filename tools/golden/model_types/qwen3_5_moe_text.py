import torch

from .common import FORWARD_LONG
from .qwen3_5_text import FULL, GGUF_QWEN35, LINEAR_NAME, LOADS_QWEN35, MTP, QWEN35, SWEEP_QWEN35

EXPERTS = {"num_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 12, "shared_expert_intermediate_size": 20}
QWEN35_MOE = {**{key: value for key, value in QWEN35.items() if key != "intermediate_size"}, **EXPERTS}

FORWARD = {
    "qwen3-5-moe-f32": {"config": QWEN35_MOE, "further": MTP, "length": FORWARD_LONG},
    "qwen3-5-moe-biases-tied-bf16": {
        "config": {
            **QWEN35_MOE,
            "num_hidden_layers": 2,
            "full_attention_interval": 2,
            "attention_bias": True,
            "tie_word_embeddings": True,
            "num_experts_per_tok": 3,
        },
        "dtype": torch.bfloat16,
        "length": 40,
    },
}

SWEEP_MOE = {
    **{key: value for key, value in SWEEP_QWEN35.items() if key != "intermediate_size"},
    **EXPERTS,
    "num_experts": 4,
    "output_router_logits": False,
    "router_aux_loss_coef": 0.002,
}

SWEEP = {
    "qwen3_5_moe_text": {"config": SWEEP_MOE},
    "qwen3_5_moe_text-fused": {"config": {**SWEEP_MOE, "attention_bias": True, "num_experts_per_tok": 3}, "fused": True},
}

EDITS = [
    {"layer_types": [LINEAR_NAME, FULL, FULL]},
    {"layer_types": None, "full_attention_interval": 2},
    {"num_local_experts": 4},
    {"num_experts_per_tok": 5},
    {"norm_topk_prob": False},
    {"decoder_sparse_step": 2},
    {"mlp_only_layers": [0]},
    {"linear_num_key_heads": 4, "linear_key_head_dim": 3},
]

ARCHITECTURE = "qwen35moe"

GGUF_MOE = {
    **{key: value for key, value in GGUF_QWEN35.items() if key != "intermediate_size"},
    "num_experts": 3,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 8,
    "shared_expert_intermediate_size": 12,
}

GGUF = {
    "qwen35moe": {"config": GGUF_MOE, "file": "f16"},
    "qwen35moe-shared": {"config": {**GGUF_MOE, "linear_num_key_heads": 2, "linear_num_value_heads": 6}, "file": "bf16"},
}

LOADS_MOE = {
    **{key: value for key, value in LOADS_QWEN35.items() if key != "intermediate_size"},
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 64,
}

LOADS = {"config": LOADS_MOE}
