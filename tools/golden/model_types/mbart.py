import torch

from .common import FORWARD_LONG, SWEEP_VOCABULARY, UNEQUAL_SIDES

SPECIAL = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2}
FORWARD_MBART = {
    "d_model": 16,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 24,
    "decoder_layers": 2,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 24,
    "max_position_embeddings": 320,
    "scale_embedding": True,
    "activation_function": "relu",
    **SPECIAL,
}
MBART_50 = {"decoder_start_token_id": 2}
# The last token of the text that is swept, which transformers puts first of all where it makes the decoder's input of labels.
SWEEP_END = {"eos_token_id": 18, "decoder_start_token_id": 18}
SWEEP_MBART = {
    **FORWARD_MBART,
    **SWEEP_END,
    "vocab_size": SWEEP_VOCABULARY,
    "decoder_layers": 1,
    "tie_word_embeddings": True,
    "is_encoder_decoder": True,
    "use_cache": True,
}

FORWARD = {
    "mbart-50-f32": {"config": {**FORWARD_MBART, **MBART_50}, "length": FORWARD_LONG, "source": 270, "pad": 1, "languages": "{}_XX", "inputs": True},
    "mbart-25-sharded-bf16": {
        "config": {
            **FORWARD_MBART,
            **UNEQUAL_SIDES,
            "max_position_embeddings": 80,
        },
        "dtype": torch.bfloat16,
        "shard": "12KB",
        "source": 50,
        "pad": 1,
        "languages": "{}_XX",
        "inputs": True,
    },
}

SWEEP = {
    "mbart": {"config": SWEEP_MBART, "source": 30},
    "mbart-own-head": {"config": {**SWEEP_MBART, "decoder_start_token_id": 20, "scale_embedding": False, "activation_function": "gelu"}, "source": 30, "head": True},
}

EDITS = [
    {"decoder_start_token_id": None},
    {"tokenizer_class": "MBart50TokenizerFast"},
    {"tokenizer_class": "MBartTokenizer"},
    {"tokenizer_class": "BarthezTokenizer"},
    {"max_position_embeddings": 2},
    {"add_final_layer_norm": False},
    {"normalize_embedding": False},
    {"static_position_embeddings": True},
]

LOADS = {
    "config": {**FORWARD_MBART, **MBART_50, "d_model": 64, "encoder_ffn_dim": 96, "decoder_ffn_dim": 96, "max_position_embeddings": 128},
    "source": 9,
    "languages": "{}_XX",
}
