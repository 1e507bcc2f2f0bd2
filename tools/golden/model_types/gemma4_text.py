import torch

from .common import FORWARD_LONG, FORWARD_SMALL, GGUF_SMALL, LOADS_PLAIN, SWEEP_GEMMA, rope

# as the small models, E2B and E4B: embeddings of each layer, keys and values of late blocks shared
PER_LAYER = {"hidden_size_per_layer_input": 6, "vocab_size_per_layer_input": 64}
LOCAL, GLOBAL = "sliding_attention", "full_attention"

ROTARIES = {GLOBAL: rope("proportional", 1000.0, partial_rotary_factor=0.5), LOCAL: rope(theta=50.0)}

# as E2B: wider MLPs where keys are shared
SHARED = {
    **FORWARD_SMALL,
    **PER_LAYER,
    "num_hidden_layers": 6,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "global_head_dim": 12,
    "num_kv_shared_layers": 3,
    "use_double_wide_mlp": True,
    "sliding_window": 6,
    "layer_types": [LOCAL, LOCAL, GLOBAL, LOCAL, LOCAL, GLOBAL],
    "final_logit_softcapping": 4.0,
    "rope_parameters": ROTARIES,
}
# as the large dense one, 31B: neither, but keys of global blocks that are the values too
KEYS_ARE_VALUES = {
    **FORWARD_SMALL,
    "num_key_value_heads": 4,
    "hidden_size_per_layer_input": 0,
    "num_hidden_layers": 3,
    "head_dim": 4,
    "global_head_dim": 8,
    "num_global_key_value_heads": 2,
    "attention_k_eq_v": True,
    "sliding_window": 6,
    "layer_types": [LOCAL, GLOBAL, GLOBAL],
    "use_bidirectional_attention": "vision",
    "final_logit_softcapping": 30.0,
}
# as 26B: the large dense one with experts beside the MLP
EXPERTS = {"enable_moe_block": True, "num_experts": 5, "top_k_experts": 2, "moe_intermediate_size": 12}

FORWARD = {
    "gemma4-shared-f32": {"config": SHARED, "length": FORWARD_LONG},
    # as E4B
    "gemma4-shared-narrow-bf16": {
        "config": {**SHARED, "num_key_value_heads": 2, "use_double_wide_mlp": False, "num_kv_shared_layers": 2, "final_logit_softcapping": None},
        "dtype": torch.bfloat16,
    },
    "gemma4-keys-are-values-bf16": {"config": KEYS_ARE_VALUES, "dtype": torch.bfloat16},
    # each alone
    "gemma4-per-layer-untied-biases-f32": {
        "config": {**SHARED, "num_kv_shared_layers": 0, "num_hidden_layers": 3, "layer_types": None, "tie_word_embeddings": False, "attention_bias": True},
    },
    "gemma4-shared-keys-are-values-f32": {
        "config": {**KEYS_ARE_VALUES, **PER_LAYER, "num_hidden_layers": 4, "layer_types": [LOCAL, GLOBAL, LOCAL, GLOBAL], "num_kv_shared_layers": 2},
        "length": FORWARD_LONG,
    },
    "gemma4-experts-f32": {
        "config": {**KEYS_ARE_VALUES, **EXPERTS},
        "length": FORWARD_LONG,
        "grams": {"block": 1, "expert": 3},
    },
    # what no published model has together
    "gemma4-experts-shared-untied-bf16": {
        "config": {**SHARED, **EXPERTS, "num_experts": 4, "top_k_experts": 3, "tie_word_embeddings": False},
        "dtype": torch.bfloat16,
        "length": 40,
    },
}

SWEEP_GEMMA4 = {
    **{key: value for key, value in SWEEP_GEMMA.items() if key != "query_pre_attn_scalar"},
    "num_hidden_layers": 4,
    "global_head_dim": 12,
    "layer_types": [LOCAL, GLOBAL] * 2,
    "rope_parameters": ROTARIES,
    "use_double_wide_mlp": True,
    "final_logit_softcapping": 4.0,
    "attention_k_eq_v": False,
    "num_global_key_value_heads": 1,
    "enable_moe_block": False,
}
SWEEP_EXPERTS = {"enable_moe_block": True, "num_experts": 4, "top_k_experts": 2, "moe_intermediate_size": 12}

SWEEP = {
    "gemma4_text": {"config": {**SWEEP_GEMMA4, **PER_LAYER, "num_kv_shared_layers": 2}},
    "gemma4_text-keys-are-values": {
        "config": {**SWEEP_GEMMA4, "hidden_size_per_layer_input": 0, "num_kv_shared_layers": 0, "attention_k_eq_v": True, "tie_word_embeddings": False},
    },
    "gemma4_text-experts": {
        "config": {**SWEEP_GEMMA4, **SWEEP_EXPERTS, "hidden_size_per_layer_input": 0, "num_kv_shared_layers": 0},
        "fused": True,
    },
}

EDITS = [{**SWEEP_EXPERTS, "num_experts": None}, {**SWEEP_EXPERTS, "top_k_experts": 5}]

ARCHITECTURE = "gemma4"

GGUF_GEMMA4 = {**GGUF_SMALL, "sliding_window": 5, "head_dim": 8, "global_head_dim": 16, "layer_types": [LOCAL, GLOBAL, LOCAL, GLOBAL], "num_hidden_layers": 4}

GGUF = {
    "gemma4-shared": {"config": {**GGUF_GEMMA4, "hidden_size_per_layer_input": 6, "vocab_size_per_layer_input": 32, "num_kv_shared_layers": 2, "use_double_wide_mlp": True, "final_logit_softcapping": 30.0}, "file": "f16"},
    "gemma4-keys-are-values": {
        "config": {**GGUF_GEMMA4, "hidden_size_per_layer_input": 0, "num_key_value_heads": 4, "num_global_key_value_heads": 2, "attention_k_eq_v": True},
        "file": "bf16",
    },
    "gemma4-experts": {
        "config": {
            **GGUF_GEMMA4,
            "hidden_size_per_layer_input": 0,
            "num_key_value_heads": 4,
            "num_global_key_value_heads": 2,
            "attention_k_eq_v": True,
            "enable_moe_block": True,
            "num_experts": 3,
            "top_k_experts": 2,
            "moe_intermediate_size": 8,
        },
        "file": "f16",
    },
}

# Queries and keys are normed and not scaled: scores of small heads do not make much of what gptqmodel rounds to half precision.
LOADS_GEMMA4 = {
    **LOADS_PLAIN,
    "num_key_value_heads": 4,
    "head_dim": 8,
    "global_head_dim": 16,
    "num_hidden_layers": 4,
    "sliding_window": 8,
    "layer_types": [LOCAL, GLOBAL] * 2,
    "hidden_size_per_layer_input": 32,
    "vocab_size_per_layer_input": 64,
    "num_kv_shared_layers": 2,
}
LOADS = {"config": LOADS_GEMMA4}
LOADS_EXPERTS = {
    "config": {
        **LOADS_GEMMA4,
        "hidden_size_per_layer_input": 0,
        "num_kv_shared_layers": 0,
        "enable_moe_block": True,
        "num_experts": 4,
        "top_k_experts": 2,
        "moe_intermediate_size": 32,
    },
}
