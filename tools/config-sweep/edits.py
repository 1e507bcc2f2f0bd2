"""The edits of a configuration: each key absent, null, of another value and of another type; and edits of several keys."""

import copy
import dataclasses

from transformers import AutoConfig

from bases import edits_for

# Values that a key is given beside those that its type suggests.
VALUES = {
    "hidden_act": ["silu", "gelu_new", "gelu_pytorch_tanh", "relu", "mish"],
    "hidden_activation": ["silu", "gelu_new", "gelu_pytorch_tanh"],
    "activation_function": ["silu", "gelu_new", "gelu", "tanh"],
    "layer_types": [
        ["full_attention", "full_attention", "full_attention"],
        ["sliding_attention", "full_attention", "sliding_attention"],
        ["sliding_attention", "sliding_attention", "sliding_attention"],
        ["full_attention", "linear_attention", "full_attention"],
        ["attention", "attention", "attention"],
        ["full_attention"],
        "full_attention",
    ],
    "is_causal": [False, True],
    "head_dim": [2, 4, 6, 8, 128],
    "sliding_window": [3, 0, 4096],
    "use_sliding_window": [True, False],
    "max_window_layers": [0, 2, 28],
    "sliding_window_pattern": [2, 1],
    "use_bidirectional_attention": [True, False],
    "attn_logit_softcapping": [3.0, 50.0, 0.0],
    "final_logit_softcapping": [3.0, 30.0, 0.0],
    "query_pre_attn_scalar": [8, 256, 12.5],
    "partial_rotary_factor": [1.0, 0.5, 0.25],
    "rotary_pct": [1.0, 0.5, 0.25],
    "rope_theta": [50.0, 10000, 1000000.0],
    "rotary_emb_base": [50, 10000],
    "rope_local_base_freq": [500.0, 10000.0],
    "original_max_position_embeddings": [32, 128, 512],
    "max_position_embeddings": [128, 1024],
    "attention_bias": [True, False],
    "mlp_bias": [True, False],
    "qkv_bias": [True, False],
    "tie_word_embeddings": [True, False],
    "decoder_sparse_step": [2],
    "mlp_only_layers": [[1], []],
    "num_experts_per_tok": [1, 3],
    "num_experts": [2, 4, 8],
    "num_local_experts": [2, 4, 8],
    "norm_topk_prob": [True, False],
    "output_router_logits": [True],
    "router_jitter_noise": [0.5],
    "feed_forward_proj": ["relu", "gated-gelu", "gated-silu", "gated-relu", "gelu", "gelu_new", "silu", "other-gelu", "mish"],
    "dense_act_fn": ["relu", "gelu_new", "gelu", "silu", "mish"],
    "is_gated_act": [True, False],
    "scale_decoder_outputs": [True, False, 0, 1],
    "decoder_start_token_id": [0, 1, 5],
    "pad_token_id": [0, 1, 5, -1, 64],
    "eos_token_id": [1, 5, [1, 2]],
    "num_decoder_layers": [1, 2],
    "is_encoder_decoder": [True, False],
    "is_decoder": [True, False],
    "slow_but_exact": [True, False],
    "pretraining_tp": [1, 2, 4],
    "apply_residual_connection_post_layernorm": [True, False],
    "scale_attn_weights": [False],
    "scale_attn_by_inverse_layer_idx": [True],
    "reorder_and_upcast_attn": [True],
    "add_cross_attention": [True],
    "use_parallel_residual": [True, False],
    "scale_embedding": [True, False],
    "n_inner": [16, 64],
    "chunk_size_feed_forward": [0, 4],
    "quantization_config": ["gptq", {}],
    "per_layer_config": [{"0": {"sliding_window": 3}}, {}],
    "attention_chunk_size": [4],
    "output_attentions": [True],
    "output_hidden_states": [True],
    "return_dict": [False],
    "architectures": [["OtherForCausalLM"]],
    "torch_dtype": ["float16", "bfloat16"],
    "dtype": ["float16", "float32"],
    "problem_type": ["regression", "none"],
    "id2label": [{"0": "a"}],
    "num_labels": [3],
    "attn_implementation": ["eager", "sdpa"],
    "_attn_implementation": ["eager"],
    "_name_or_path": ["org/name"],
    "transformers_version": ["4.40.0"],
    "auto_map": [{"AutoModel": "modeling.Model"}],
    "generation_config": [{"max_length": 3}],
    "max_length": [20],
    "temperature": [0.7],
    "tie_encoder_decoder": [True],
    "gradient_checkpointing": [True],
    "unknown_key_of_tomorrow": [True, 3],
    "attention_multiplier": [2.0],
    "embedding_multiplier": [2.0],
    "logits_scaling": [2.0],
    "residual_multiplier": [2.0],
    "logit_scale": [2.0],
    "rope_interleaved": [True],
    "qk_norm": [True],
    "use_qk_norm": [True],
    "no_rope_layers": [[0]],
    "attn_temperature_tuning": [True],
    "mup_scale": [2.0],
    "sliding_window_size": [3],
    "pruned_heads": [{"0": [1]}],
    "tie_last_hidden_states": [False],
    "model_type": ["unknown"],
    "hidden_size": [8],
    "n_embd": [8],
    "n_embed": [8, 16],
    "d_model": [8],
    "num_attention_heads": [2, 8, 3],
    "num_key_value_heads": [1, 2, 4, 3],
    "n_head": [2, 8, 3],
    "num_heads": [2, 8, 3],
    "attention_heads": [2, 8, 3],
    "d_kv": [4, 8],
    "num_hidden_layers": [1, 4],
    "num_layers": [1, 4],
    "n_layer": [1, 4],
    "vocab_size": [32, 128],
    "intermediate_size": [16, 48],
    "d_ff": [16, 48],
    "ffn_dim": [16, 48],
    "moe_intermediate_size": [8],
    "shared_expert_intermediate_size": [8],
    "n_positions": [128, 1024],
    "relative_attention_num_buckets": [4, 16, 7],
    "relative_attention_max_distance": [8, 64],
}
EPSILONS = ["rms_norm_eps", "layer_norm_epsilon", "layer_norm_eps"]
VALUES |= {key: [1e-6, 0.1, 1.0, 0.0, -0.5] for key in EPSILONS}

# Keys that a class has not, and that its code or its base classes may read all the same.
FURTHER = [
    *["head_dim", "is_causal", "layer_types", "sliding_window", "use_sliding_window", "sliding_window_pattern"],
    *["partial_rotary_factor", "rope_theta", "rope_scaling", "rope_parameters", "rotary_pct", "original_max_position_embeddings"],
    *["use_bidirectional_attention", "attention_chunk_size", "attention_bias", "mlp_bias", "tie_word_embeddings"],
    *["hidden_act", "hidden_activation", "activation_function", "attn_logit_softcapping", "final_logit_softcapping"],
    *["query_pre_attn_scalar", "scale_decoder_outputs", "dense_act_fn", "is_gated_act", "quantization_config", "per_layer_config"],
    *["is_decoder", "add_cross_attention", "pretraining_tp", "output_attentions", "num_labels", "torch_dtype"],
    *["attn_implementation", "_attn_implementation", "_name_or_path", "auto_map", "generation_config", "max_length"],
    *["temperature", "tie_encoder_decoder", "gradient_checkpointing", "unknown_key_of_tomorrow", "attention_multiplier"],
    *["embedding_multiplier", "logits_scaling", "residual_multiplier", "logit_scale", "qk_norm", "use_qk_norm", "no_rope_layers"],
    *["attn_temperature_tuning", "tie_last_hidden_states", "hidden_size", "num_attention_heads", "num_hidden_layers"],
    *["num_key_value_heads", "vocab_size", "model_type", "num_experts", "rope_local_base_freq", "n_embed", "d_model"],
]
# Keys that are also tried on the further bases of a type, whose configuration does not have them.
ROTARY = ["is_causal", "rope_scaling", "rope_theta", "partial_rotary_factor", "head_dim", "layer_types", "original_max_position_embeddings"]
# Keys whose absence, null and other values are tried on every base; the rest on the first one of a type.
DULL = [
    *["unknown_key_of_tomorrow", "attention_multiplier", "embedding_multiplier", "logits_scaling", "residual_multiplier"],
    *["logit_scale", "qk_norm", "use_qk_norm", "no_rope_layers", "attn_temperature_tuning", "auto_map", "generation_config"],
    *["max_length", "temperature", "_name_or_path", "attn_implementation", "_attn_implementation", "tie_encoder_decoder"],
    *["gradient_checkpointing", "architectures", "transformers_version", "id2label", "label2id", "problem_type", "num_labels"],
    *["output_attentions", "output_hidden_states", "return_dict", "torch_dtype", "dtype", "chunk_size_feed_forward"],
    *["initializer_range", "use_cache", "bos_token_id", "model_type", "per_layer_config", "tie_last_hidden_states"],
    *["hidden_size", "num_hidden_layers", "vocab_size", "intermediate_size"],
]

FACTORS = {"short_factor": [1.0, 1.1], "long_factor": [1.5, 3.0]}
ROPES = [
    {},
    {"rope_type": "default"},
    {"rope_type": "default", "rope_theta": 50.0},
    {"rope_theta": 50.0},
    {"type": "default", "rope_theta": 50},
    {"rope_type": "default", "rope_theta": 50.0, "partial_rotary_factor": 0.5},
    {"rope_type": "default", "rope_theta": 50.0, "partial_rotary_factor": 1.0},
    {"rope_type": "default", "rope_theta": None},
    {"rope_type": None, "rope_theta": 50.0},
    {"rope_type": "default", "rope_theta": 50.0, "factor": 4.0},
    {"rope_type": "default", "rope_theta": "50"},
    {"rope_type": "linear", "factor": 4.0},
    {"rope_type": "linear", "factor": 4},
    {"rope_type": "linear"},
    {"rope_type": "linear", "factor": None},
    {"rope_type": "linear", "factor": 4.0, "rope_theta": 50.0},
    {"rope_type": "linear", "factor": 4.0, "rope_theta": 50.0, "partial_rotary_factor": 0.5},
    {"rope_type": "linear", "factor": 0.5},
    {"type": "linear", "factor": 4.0},
    {"type": "linear", "rope_type": "default", "factor": 4.0},
    {"rope_type": "dynamic", "factor": 4.0},
    {"rope_type": "mish", "factor": 4.0},
    {"rope_type": "proportional", "rope_theta": 50.0, "partial_rotary_factor": 0.5},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 64},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64},
    {"rope_type": "yarn", "factor": 4.0},
    {"rope_type": "yarn", "original_max_position_embeddings": 64},
    {"rope_type": "yarn", "factor": None, "original_max_position_embeddings": 64},
    {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "beta_fast": 8, "beta_slow": 2},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "beta_fast": None, "beta_slow": 0},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "attention_factor": 1.5},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "attention_factor": None},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "mscale": 0.7, "mscale_all_dim": 0.4},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "truncate": False},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "unknown": 1},
    {"rope_type": "longrope", "original_max_position_embeddings": 64, **FACTORS},
    {"type": "longrope", **FACTORS},
    {"type": "su", **FACTORS},
    {"type": "su", "original_max_position_embeddings": 64, **FACTORS},
    {"type": "yarn", "original_max_position_embeddings": 64, **FACTORS},
    {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, **FACTORS},
    {"rope_type": "longrope", "factor": 2.0, "original_max_position_embeddings": 64, **FACTORS},
    {"rope_type": "longrope", "attention_factor": 1.3, "original_max_position_embeddings": 64, **FACTORS},
    {"rope_type": "longrope", "original_max_position_embeddings": 64, "short_factor": [1.0, 1.1]},
    {"rope_type": "longrope", "original_max_position_embeddings": 64, "short_factor": [1.0], "long_factor": [1.0]},
    {"full_attention": {"rope_type": "default", "rope_theta": 50.0}},
    {"full_attention": {"rope_type": "default", "rope_theta": 50.0}, "sliding_attention": {"rope_type": "default", "rope_theta": 700.0}},
    {"full_attention": {"rope_type": "linear", "factor": 4.0}, "sliding_attention": {"rope_type": "linear", "factor": 2.0}},
    {"full_attention": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 50.0}, "sliding_attention": None},
    {"full_attention": {}, "sliding_attention": {}},
    {"full_attention": {"rope_theta": 50.0}, "rope_theta": 70.0},
    "default",
    [],
]


def of_one_key(config: dict, key: str, thorough: bool, known: dict) -> list[dict | str]:
    """Dictionaries are keys to set; a text is a key to leave out."""
    rotary = "rope_parameters" in known
    edits: list[dict | str] = [key] if key in config else []
    edits += [{key: None}] if config.get(key, 0) is not None else []
    if key in ("rope_scaling", "rope_parameters"):
        values = ROPES[-8:] if not rotary else ROPES if thorough else ROPES[::3]
    elif key in VALUES:
        values = VALUES[key]
    else:
        before = config.get(key)
        number = before if isinstance(before, (int, float)) else 0
        values = {bool: [not before], int: [number + 1], float: [(number or 0.1) * 2], str: ["other"]}.get(type(before), [1, 0.5])
    edits += [{key: value} for value in values if key not in config or not (config[key] == value and type(config[key]) is type(value))]
    if thorough:
        edits += [{key: "text"}]
    # JavaScript reads 1.0 and 1 alike, of which the classes take one for a float: no such edits
    if known.get(key) in (float, float | None):
        edits = [edit for edit in edits if isinstance(edit, str) or type(edit[key]) is not int]
    unique = []
    for edit in edits:
        same = any(type(edit) is type(other) and repr(edit) == repr(other) for other in unique)
        unique += [] if same else [edit]
    return unique


def of_sections(config: dict) -> list[dict]:
    """Each key of the base's rope sections absent, null and changed."""
    edits = []
    for name in ("rope_scaling", "rope_parameters"):
        section = config.get(name)
        if not isinstance(section, dict):
            continue
        paths = [(key,) for key in section] + [(key, inner) for key in section if isinstance(section[key], dict) for inner in section[key]]
        for path in paths:
            for change in ("absent", "null", "changed"):
                copied = copy.deepcopy(section)
                parent = copied if len(path) == 1 else copied[path[0]]
                value = parent[path[-1]]
                if change == "absent":
                    del parent[path[-1]]
                elif change == "null":
                    parent[path[-1]] = None
                elif isinstance(value, bool):
                    parent[path[-1]] = not value
                elif isinstance(value, (int, float)):
                    parent[path[-1]] = value * 2
                else:
                    continue
                edits.append({name: copied})
    return edits


YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
# Edits of several keys, on the bases of all types; those of one type are EDITS of its file.
SEVERAL = [
    {"rope_parameters": {"rope_type": "default", "rope_theta": 50.0}, "rope_scaling": YARN},
    {"rope_parameters": {"rope_type": "default", "rope_theta": 50.0}, "rope_scaling": {"type": "linear", "factor": 2.0}, "rope_theta": 900.0},
    {"rope_parameters": {"rope_type": "default", "rope_theta": 50.0}, "rope_scaling": {}},
    {"rope_scaling": YARN, "max_position_embeddings": 256, "original_max_position_embeddings": 32},
    {"rope_scaling": {**YARN, "factor": None}, "max_position_embeddings": 256},
    {"rope_parameters": None, "rope_theta": 50.0},
    {"hidden_size": 16, "num_attention_heads": 4},
]


def edits_of(base: dict, thorough: bool) -> list[dict | str]:
    config = base["config"]
    known = {field.name: field.type for field in dataclasses.fields(type(AutoConfig.for_model(base["type"])))}
    keys = list(dict.fromkeys([*config, *known, *FURTHER]))
    edits: list[dict | str] = []
    for key in keys:
        if thorough or key not in DULL and (key in config or key in ROTARY):
            edits += of_one_key(config, key, thorough, known)
    edits += of_sections(config)
    edits += [*SEVERAL, *edits_for(base["type"])]
    return edits
