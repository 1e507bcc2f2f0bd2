import torch

from .common import QWEN35_IMAGES
from .qwen3_5 import LOADS_IMAGES, TEXT, text_edits
from .qwen3_5_moe_text import EXPERTS, LOADS_MOE, SWEEP_MOE
from .qwen3_5_text import MTP

TEXT_MOE = {**{key: value for key, value in TEXT.items() if key != "intermediate_size"}, **EXPERTS, "moe_intermediate_size": 32}

FORWARD = {
    "qwen3-5-moe-images-f32": {"config": {"text_config": TEXT_MOE, **QWEN35_IMAGES}, "further": MTP},
    # as on the Hub: experts in one tensor
    "qwen3-5-moe-images-fused-bf16": {"config": {"text_config": TEXT_MOE, **QWEN35_IMAGES}, "dtype": torch.bfloat16, "own_names": True},
}

SWEEP_TEXT_MOE = {**SWEEP_MOE, "hidden_size": 32, "model_type": "qwen3_5_moe_text"}

SWEEP = {
    "qwen3_5_moe": {"config": {"text_config": SWEEP_TEXT_MOE, **QWEN35_IMAGES, "tie_word_embeddings": False}, "fused": True},
}

EDITS = text_edits(SWEEP_TEXT_MOE)

# a seed in which no token is nearly between two experts, which half precision would tell apart otherwise
LOADS = {"seed": 7, "config": {"text_config": {**LOADS_MOE, "vocab_size": 64}, **LOADS_IMAGES}}
