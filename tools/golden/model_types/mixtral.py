import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, sweep_rope

FORWARD = {
    "mixtral-f32": {
        "seed": 122,
        "config": {**FORWARD_GROUPED, "num_local_experts": 5, "num_experts_per_tok": 2, "sliding_window": None},
        "length": FORWARD_LONG,
    },
    "mixtral-window-f16": {
        "seed": 123,
        "config": {**FORWARD_GROUPED, "num_local_experts": 3, "num_experts_per_tok": 1, "sliding_window": 6, "tie_word_embeddings": True},
        "dtype": torch.float16,
    },
}

SWEEP = {
    "mixtral": {
        "config": {**SWEEP_SMALL, "rope_theta": 500.0, "sliding_window": 7, "num_local_experts": 4, "num_experts_per_tok": 2, "output_router_logits": False, "router_aux_loss_coef": 0.02},
    },
    "mixtral-fused": {
        "config": {**SWEEP_SMALL, "rope_parameters": sweep_rope(), "sliding_window": None, "num_local_experts": 3, "num_experts_per_tok": 1},
        "fused": True,
    },
}

ARCHITECTURE = "llama"

GGUF = {
    "mixtral": {"config": {**GGUF_SMALL, "num_local_experts": 3, "num_experts_per_tok": 2, "sliding_window": None}, "file": "f16"},
}

LOADS = {"seed": 207, "config": {**LOADS_GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2}}
