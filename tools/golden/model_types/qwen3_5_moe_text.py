import torch

from .common import FORWARD_LONG
from .qwen3_5_text import MTP, QWEN35

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
