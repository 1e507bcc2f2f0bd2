import torch

from .common import FORWARD_LONG, FORWARD_TEXT, LOADS_GROUPED, QWEN_IMAGES, SWEEP_SMALL, rope

FORWARD = {
    "qwen3-vl-f32": {
        "config": {"text_config": {**FORWARD_TEXT, "head_dim": 8, "rope_parameters": rope(mrope_section=[2, 1, 1], mrope_interleaved=True)}, **QWEN_IMAGES},
        "length": FORWARD_LONG,
    },
    "qwen3-vl-tied-biases-bf16": {
        "config": {
            "text_config": {**FORWARD_TEXT, "head_dim": 16, "attention_bias": True, "rope_parameters": rope(mrope_section=[4, 2, 2])},
            "tie_word_embeddings": True,
            **QWEN_IMAGES,
        },
        "dtype": torch.bfloat16,
    },
}

SWEEP_TEXT = {**SWEEP_SMALL, "hidden_size": 32, "model_type": "qwen3_vl_text", "head_dim": 8, "attention_bias": False, "rope_parameters": rope(mrope_section=[2, 1, 1])}

SWEEP = {
    "qwen3_vl": {"config": {"text_config": SWEEP_TEXT, **QWEN_IMAGES, "tie_word_embeddings": False}},
}

YARN = {"factor": 4.0, "original_max_position_embeddings": 64, "mrope_section": [2, 1, 1]}

EDITS = [
    {"text_config": {**SWEEP_TEXT, **changes}}
    for changes in (
        {"model_type": "qwen3"},
        {"tie_word_embeddings": True},
        {"rope_parameters": rope("yarn", **YARN)},
        {"rope_parameters": None, "rope_theta": 50.0},
        {"rope_parameters": None},
        {"sliding_window": 5, "use_sliding_window": True},
        {"num_key_value_heads": None},
        {"head_dim": None},
        {"attention_bias": True},
        {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"]},
        {"rms_norm_eps": 0.1},
    )
]

ARCHITECTURE = "qwen3vl"

LOADS = {
    "config": {
        "text_config": {**LOADS_GROUPED, "vocab_size": 64, "rope_parameters": rope(mrope_section=[4, 2, 2])},
        **QWEN_IMAGES,
        "vision_config": {**QWEN_IMAGES["vision_config"], "out_hidden_size": 64},
    },
}
