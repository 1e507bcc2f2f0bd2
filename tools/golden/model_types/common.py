"""Sizes of tiny models that several types have, by what they are for: see __init__.py."""


def rope(kind: str = "default", theta: float = 10000.0, **more) -> dict:
    """Rotary positions as transformers 5 writes them."""
    return {"rope_type": kind, "rope_theta": theta, **more}


def sweep_rope(kind: str = "default", theta: float = 500.0, **more) -> dict:
    return rope(kind, theta, **more)


FORWARD_LONG = 300
FORWARD_SMALL = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 512}
FORWARD_GROUPED = {**FORWARD_SMALL, "num_key_value_heads": 2}
FORWARD_T5 = {"d_model": 16, "d_kv": 6, "d_ff": 24, "num_layers": 2, "num_heads": 4, "pad_token_id": 0, "decoder_start_token_id": 0}

SWEEP_VOCABULARY = 64
SWEEP_SMALL = {
    "vocab_size": SWEEP_VOCABULARY,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_act": "gelu",
    "rms_norm_eps": 0.003,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "use_cache": True,
    "initializer_range": 0.02,
    "attention_dropout": 0.0,
    "torch_dtype": "float32",
}
SWEEP_WINDOWS = {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1}
SWEEP_GEMMA = {
    **{key: value for key, value in SWEEP_SMALL.items() if key != "hidden_act"},
    "head_dim": 8,
    "hidden_activation": "gelu",
    "sliding_window": 6,
    "query_pre_attn_scalar": 12,
    "attention_bias": False,
    "tie_word_embeddings": True,
}
SWEEP_T5 = {
    "vocab_size": SWEEP_VOCABULARY,
    "d_model": 16,
    "d_kv": 6,
    "d_ff": 24,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": 4,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 20,
    "layer_norm_epsilon": 0.003,
    "is_encoder_decoder": True,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "decoder_start_token_id": 3,
    "use_cache": True,
    "dropout_rate": 0.1,
    "initializer_factor": 1.0,
    "n_positions": 512,
}
SWEEP_ENCODER = {
    **{key: value for key, value in SWEEP_SMALL.items() if key not in ("num_key_value_heads", "rms_norm_eps", "tie_word_embeddings", "attention_dropout")},
    "tie_word_embeddings": True,
    "layer_norm_eps": 0.003,
    "type_vocab_size": 2,
    "hidden_dropout_prob": 0.1,
    "attention_probs_dropout_prob": 0.1,
    "classifier_dropout": None,
    "is_decoder": False,
    "add_cross_attention": False,
}
SWEEP_YARN = {"factor": 4.0, "original_max_position_embeddings": 64, "beta_fast": 16.0, "beta_slow": 2.0, "attention_factor": 1.2}
SWEEP_WIDE = {"hidden_size": 32}

GGUF_SMALL = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512}
GGUF_GEMMA = {**GGUF_SMALL, "head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 5}
GGUF_ENCODER = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 66, "layer_norm_eps": 1e-5}

LOADS_PLAIN = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128}
LOADS_GROUPED = {**LOADS_PLAIN, "num_key_value_heads": 2, "head_dim": 16}
LOADS_GEMMA = {**LOADS_GROUPED, "sliding_window": 8, "query_pre_attn_scalar": 16}
LOADS_T5 = {"d_model": 64, "d_kv": 16, "d_ff": 96, "num_layers": 2, "num_heads": 4, "pad_token_id": 0, "decoder_start_token_id": 0}

# Models with images: ids below 4, which no text has here. Sizes of what they wrap are multiples of 32, which GPTQ's files ask for.
VISION = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 16, "patch_size": 4}
GEMMA_IMAGES = {"vision_config": VISION, "mm_tokens_per_image": 4, "image_token_index": 0, "boi_token_index": 1, "eoi_token_index": 2}
# an encoder and a decoder of unequal sizes, of BART's kind
UNEQUAL_SIDES = {
    "encoder_layers": 1,
    "decoder_layers": 3,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 8,
    "decoder_ffn_dim": 40,
    "scale_embedding": False,
    "activation_function": "gelu",
}
GEMMA4_TOWERS = {
    "vision_config": {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "patch_size": 4,
        "position_embedding_size": 16,
    },
    "audio_config": {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "subsampling_conv_channels": [4, 4],
        "conv_kernel_size": 3,
        "attention_chunk_size": 4,
        "attention_context_left": 5,
        "output_proj_dims": 16,
    },
    "image_token_id": 0,
    "boi_token_id": 1,
    "eoi_token_id": 2,
    "video_token_id": 3,
    "audio_token_id": 0,
    "boa_token_id": 1,
    "eoa_token_index": 2,
}
MISTRAL_IMAGES = {"vision_config": {**VISION, "model_type": "pixtral"}, "image_token_index": 0}
QWEN_IMAGES = {
    "vision_config": {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_heads": 2,
        "patch_size": 4,
        "out_hidden_size": 32,
        "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0],
    },
    "image_token_id": 0,
    "video_token_id": 1,
    "vision_start_token_id": 2,
    "vision_end_token_id": 3,
}
QWEN35_IMAGES = {**QWEN_IMAGES, "vision_config": {key: value for key, value in QWEN_IMAGES["vision_config"].items() if key != "deepstack_visual_indexes"}}
FORWARD_TEXT = {**FORWARD_GROUPED, "hidden_size": 32, "intermediate_size": 32, "vocab_size": 64, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3}
FORWARD_YARN = {"factor": 8.0, "original_max_position_embeddings": 64, "mscale": 1.0, "mscale_all_dim": 1.0, "llama_4_scaling_beta": 0.3}
