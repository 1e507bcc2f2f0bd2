import torch

from .common import FORWARD_LONG, FORWARD_TEXT, QWEN35_IMAGES, rope
from .qwen3_5_text import LINEAR, MTP

# sizes are multiples of 32, which GPTQ's files ask for
TEXT = {**FORWARD_TEXT, **LINEAR, "linear_key_head_dim": 8, "linear_value_head_dim": 8, "num_hidden_layers": 4, "head_dim": 16}

FORWARD = {
    "qwen3-5-images-f32": {"config": {"text_config": TEXT, **QWEN35_IMAGES}, "further": MTP, "length": FORWARD_LONG},
    "qwen3-5-images-tied-bf16": {
        "config": {
            "text_config": {
                **TEXT,
                "num_hidden_layers": 2,
                "full_attention_interval": 2,
                "rope_parameters": rope(theta=500.0, partial_rotary_factor=0.5, mrope_section=[2, 1, 1], mrope_interleaved=True),
            },
            "tie_word_embeddings": True,
            **QWEN35_IMAGES,
        },
        "dtype": torch.bfloat16,
    },
}
