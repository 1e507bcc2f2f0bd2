from .bert import EDITS  # noqa: F401
from .common import GGUF_ENCODER, SWEEP_ENCODER

SWEEP = {
    "xlm-roberta": {"config": {**SWEEP_ENCODER, "pad_token_id": 1, "type_vocab_size": 1}, "encoder": True},
    "xlm-roberta-padding": {"config": {**SWEEP_ENCODER, "pad_token_id": 3, "hidden_act": "gelu_new"}, "encoder": True},
}

ARCHITECTURE = "bert"

GGUF = {
    "xlm-roberta": {
        "config": {**GGUF_ENCODER, "pad_token_id": 1, "bos_token_id": 0, "type_vocab_size": 1},
        "encoder": "pooling_mode_cls_token",
        "file": "f32",
    },
}
