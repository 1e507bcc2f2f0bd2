import torch

from .common import FORWARD_LONG, SWEEP_VOCABULARY, UNEQUAL_SIDES

SPECIAL = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2}
FORWARD_M2M = {
    "d_model": 16,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 24,
    "decoder_layers": 2,
    "decoder_attention_heads": 4,
    "decoder_ffn_dim": 24,
    "max_position_embeddings": 320,
    **SPECIAL,
}
SWEEP_M2M = {
    **FORWARD_M2M,
    "vocab_size": SWEEP_VOCABULARY,
    "decoder_layers": 1,
    "activation_function": "gelu",
    "scale_embedding": False,
    "tie_word_embeddings": True,
    "is_encoder_decoder": True,
    "use_cache": True,
}

FORWARD = {
    "m2m-100-f32": {"seed": 321, "config": FORWARD_M2M, "length": FORWARD_LONG, "source": 270, "pad": 1, "languages": "__{}__", "inputs": True},
    "m2m-100-nllb-sharded-bf16": {
        "seed": 322,
        "config": {
            **FORWARD_M2M,
            **UNEQUAL_SIDES,
        },
        "dtype": torch.bfloat16,
        "shard": "12KB",
        "source": 50,
        "pad": 1,
        "languages": "{}",
        "inputs": True,
    },
}

SWEEP = {
    "m2m_100": {"config": SWEEP_M2M, "source": 30},
    "m2m_100-own-head": {"config": {**SWEEP_M2M, "scale_embedding": True}, "source": 30, "head": True},
}

LOADS = {
    "seed": 323,
    "config": {**FORWARD_M2M, "d_model": 64, "encoder_ffn_dim": 96, "decoder_ffn_dim": 96, "max_position_embeddings": 128},
    "source": 9,
    "languages": "{}",
}
