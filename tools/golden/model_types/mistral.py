import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, LOADS_GROUPED, SWEEP_SMALL, sweep_rope

FORWARD = {
    "mistral-window-f32": {"seed": 103, "config": {**FORWARD_GROUPED, "sliding_window": 7}, "length": FORWARD_LONG},
    "mistral-whole-bf16": {"seed": 104, "config": {**FORWARD_GROUPED, "sliding_window": None}, "dtype": torch.bfloat16},
}

SWEEP = {
    "mistral": {"config": {**SWEEP_SMALL, "head_dim": 4, "rope_theta": 500.0, "sliding_window": 7}},
    "mistral-whole": {"config": {**SWEEP_SMALL, "sliding_window": None, "rope_parameters": sweep_rope()}},
}

EDITS = [
    {"sliding_window": None, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
    {"layer_types": ["full_attention", "sliding_attention", "full_attention"], "use_cache": False},
]

ARCHITECTURE = "llama"

LOADS = {"seed": 206, "config": LOADS_GROUPED}
