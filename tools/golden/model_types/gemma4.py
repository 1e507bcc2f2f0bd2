import torch

from .common import FORWARD_LONG, GEMMA4_TOWERS
from .gemma4_text import KEYS_ARE_VALUES, LOADS_GEMMA4, SHARED

# multiples of 32, which GPTQ's files ask for
WIDE = {"hidden_size": 32, "intermediate_size": 32, "num_key_value_heads": 4, "head_dim": 8, "global_head_dim": 16}
TOKENS = {"vocab_size": 64, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3}

FORWARD = {
    "gemma4-images-f32": {"config": {"text_config": {**SHARED, **WIDE, "hidden_size_per_layer_input": 32, **TOKENS}, **GEMMA4_TOWERS}, "length": FORWARD_LONG},
    "gemma4-images-keys-are-values-bf16": {
        "config": {"text_config": {**KEYS_ARE_VALUES, **WIDE, **TOKENS}, **GEMMA4_TOWERS, "audio_config": None},
        "dtype": torch.bfloat16,
    },
}

LOADS = {"config": {"text_config": {**LOADS_GEMMA4, **TOKENS}, **GEMMA4_TOWERS}}
