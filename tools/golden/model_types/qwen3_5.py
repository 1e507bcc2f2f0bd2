import torch

from .common import FORWARD_LONG, FORWARD_TEXT, QWEN35_IMAGES, rope
from .qwen3_5_text import LINEAR, LOADS_QWEN35, MTP, SWEEP_QWEN35

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
                "linear_num_key_heads": 4,
                "rope_parameters": rope(theta=500.0, partial_rotary_factor=0.5, mrope_section=[2, 1, 1], mrope_interleaved=True),
            },
            "tie_word_embeddings": True,
            **QWEN35_IMAGES,
        },
        "dtype": torch.bfloat16,
    },
}

SWEEP_TEXT = {**SWEEP_QWEN35, "hidden_size": 32, "model_type": "qwen3_5_text"}

SWEEP = {
    "qwen3_5": {"config": {"text_config": SWEEP_TEXT, **QWEN35_IMAGES, "tie_word_embeddings": False}},
}


def text_edits(text: dict) -> list[dict]:
    """Edits of the language model's section."""
    return [
        {"text_config": {**text, **changes}}
        for changes in (
            {"model_type": "qwen3"},
            {"tie_word_embeddings": True},
            {"layer_types": None, "full_attention_interval": 2},
            {"rope_parameters": None, "rope_theta": 50.0},
            {"rope_parameters": None},
            {"num_key_value_heads": None},
            {"head_dim": None},
            {"attention_bias": True},
            {"rms_norm_eps": 0.1},
            {"linear_conv_kernel_dim": 4},
            {"attn_output_gate": True, "mtp_num_hidden_layers": 1},
        )
    ]


EDITS = text_edits(SWEEP_TEXT)

LOADS_IMAGES = {**QWEN35_IMAGES, "vision_config": {**QWEN35_IMAGES["vision_config"], "out_hidden_size": 64}}

LOADS = {"config": {"text_config": {**LOADS_QWEN35, "vocab_size": 64}, **LOADS_IMAGES}}
