import torch

from .common import FORWARD_GROUPED, FORWARD_LONG, GGUF_SMALL, LOADS_GROUPED, SWEEP_SMALL, rope, sweep_rope

LINEAR = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 6,
    "linear_value_head_dim": 8,
    "linear_conv_kernel_dim": 4,
}
QWEN35 = {**FORWARD_GROUPED, **LINEAR, "num_hidden_layers": 4, "head_dim": 16}

# layers that predict further tokens
MTP = {"mtp.fc.weight": [16, 32], "mtp.layers.0.mlp.up_proj.weight": [24, 16], "mtp.norm.weight": [16]}

FORWARD = {
    "qwen3-5-f32": {"config": QWEN35, "further": MTP, "length": FORWARD_LONG, "inputs": True},
    # as many heads of keys as of values, other sizes of the convolution, an own order of the blocks
    "qwen3-5-biases-tied-bf16": {
        "config": {
            **QWEN35,
            "num_hidden_layers": 3,
            "layer_types": ["full_attention", "linear_attention", "full_attention"],
            "linear_num_key_heads": 3,
            "linear_num_value_heads": 3,
            "linear_conv_kernel_dim": 2,
            "attention_bias": True,
            "tie_word_embeddings": True,
            "hidden_act": "gelu",
            "rope_parameters": rope(theta=500.0, partial_rotary_factor=0.5, mrope_section=[2, 1, 1], mrope_interleaved=True),
        },
        "dtype": torch.bfloat16,
        "length": 40,
    },
}

LINEAR_NAME, FULL = "linear_attention", "full_attention"
SWEEP_QWEN35 = {
    **SWEEP_SMALL,
    **LINEAR,
    "linear_conv_kernel_dim": 3,
    "head_dim": 16,
    "attention_bias": False,
    "layer_types": [LINEAR_NAME, FULL, LINEAR_NAME],
    "rope_parameters": sweep_rope(partial_rotary_factor=0.5, mrope_section=[2, 1, 1], mrope_interleaved=True),
}

SWEEP = {
    "qwen3_5_text": {"config": SWEEP_QWEN35, "length": 40},
    # as configurations on the Hub: further keys, and a share outside of the section
    "qwen3_5_text-interval": {
        "config": {
            **{key: value for key, value in SWEEP_QWEN35.items() if key not in ("layer_types", "rope_parameters")},
            "full_attention_interval": 2,
            "partial_rotary_factor": 0.5,
            "rope_theta": 500.0,
            "attention_bias": True,
            "attn_output_gate": True,
            "mamba_ssm_dtype": "float32",
            "mtp_num_hidden_layers": 1,
            "mtp_use_dedicated_embeddings": False,
        },
    },
}

EDITS = [
    {"layer_types": [LINEAR_NAME] * 3},
    {"layer_types": [FULL, LINEAR_NAME, LINEAR_NAME]},
    {"layer_types": [LINEAR_NAME, "sliding_attention", LINEAR_NAME]},
    {"layer_types": None, "full_attention_interval": 2},
    {"layer_types": None, "full_attention_interval": 3},
    {"linear_num_key_heads": 1, "linear_key_head_dim": 12},
    {"linear_num_key_heads": 4, "linear_key_head_dim": 3},
    {"linear_num_key_heads": 3, "linear_key_head_dim": 4},
    {"linear_num_value_heads": 2, "linear_value_head_dim": 16},
]

ARCHITECTURE = "qwen35"

# llama.cpp has heads of one size; parts of positions are no more than a head has elements
GGUF_QWEN35 = {
    **GGUF_SMALL,
    "head_dim": 16,
    "num_hidden_layers": 2,
    "layer_types": [LINEAR_NAME, FULL],
    "rope_parameters": rope(theta=500.0, partial_rotary_factor=0.25, mrope_section=[1, 1, 0], mrope_interleaved=True),
    "linear_num_key_heads": 3,
    "linear_num_value_heads": 3,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_conv_kernel_dim": 4,
}

GGUF = {
    "qwen35": {"config": GGUF_QWEN35, "file": "f16"},
    "qwen35-tied-yarn": {
        "config": {
            **GGUF_QWEN35,
            "num_hidden_layers": 4,
            "layer_types": [LINEAR_NAME, LINEAR_NAME, LINEAR_NAME, FULL],
            "tie_word_embeddings": True,
            "rope_parameters": rope("yarn", partial_rotary_factor=0.5, factor=4.0, original_max_position_embeddings=16, mrope_section=[2, 1, 1], mrope_interleaved=True),
        },
        "file": "bf16",
    },
    # heads of values that share one of keys; super-blocks of a row of all heads are parts of several
    "qwen35-shared": {
        "config": {
            **GGUF_QWEN35,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 4,
            "linear_key_head_dim": 64,
            "linear_value_head_dim": 64,
        },
        "file": "f16",
    },
}

# contexts of the first tokens are next to nothing, and norms would make what is rounded to half precision as large as the rest
LOADS_QWEN35 = {**LOADS_GROUPED, "rms_norm_eps": 0.001, "layer_types": [LINEAR_NAME, FULL], **LINEAR, "linear_key_head_dim": 16, "linear_value_head_dim": 16}

LOADS = {"config": LOADS_QWEN35}
