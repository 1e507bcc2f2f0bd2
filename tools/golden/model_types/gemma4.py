import torch

from .common import FORWARD_LONG, GEMMA4_TOWERS
from .gemma4_text import EXPERTS, KEYS_ARE_VALUES, LOADS_GEMMA4, PER_LAYER, SHARED, SWEEP_GEMMA4

# multiples of 32, which GPTQ's files ask for
WIDE = {"hidden_size": 32, "intermediate_size": 32, "num_key_value_heads": 4, "head_dim": 8, "global_head_dim": 16}
TOKENS = {"vocab_size": 64, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3}

FORWARD = {
    "gemma4-images-f32": {"config": {"text_config": {**SHARED, **WIDE, "hidden_size_per_layer_input": 32, **TOKENS}, **GEMMA4_TOWERS}, "length": FORWARD_LONG},
    "gemma4-images-keys-are-values-bf16": {
        "config": {"text_config": {**KEYS_ARE_VALUES, **WIDE, **TOKENS}, **GEMMA4_TOWERS, "audio_config": None},
        "dtype": torch.bfloat16,
    },
    "gemma4-images-experts-f32": {
        "config": {"text_config": {**KEYS_ARE_VALUES, **WIDE, **TOKENS, **EXPERTS}, **GEMMA4_TOWERS, "audio_config": None},
    },
}

LOADS = {"config": {"text_config": {**LOADS_GEMMA4, **TOKENS}, **GEMMA4_TOWERS}}

SWEEP_TEXT = {**SWEEP_GEMMA4, **PER_LAYER, "num_kv_shared_layers": 2, "model_type": "gemma4_text"}

SWEEP = {
    # edits add 1 to ids of tokens: those from 4 on are in the text, where transformers reads them as padding and we do not
    "gemma4": {"config": {"text_config": SWEEP_TEXT, **GEMMA4_TOWERS, "video_token_id": 2, "tie_word_embeddings": True}},
}

EDITS = [
    {"text_config": {**SWEEP_TEXT, **changes}}
    for changes in (
        {"model_type": "llama"},
        {"model_type": None},
        {"tie_word_embeddings": False},
        {"final_logit_softcapping": None},
        {"rms_norm_eps": 0.1},
        {"use_bidirectional_attention": "all"},
        {"pad_token_id": 64},
    )
]
