from .common import GGUF_ENCODER, SWEEP_ENCODER

SWEEP = {
    "bert": {"config": {**SWEEP_ENCODER, "pad_token_id": 0}, "encoder": True},
    "bert-one-type": {"config": {**SWEEP_ENCODER, "pad_token_id": 0, "type_vocab_size": 1, "hidden_act": "relu"}, "encoder": True},
}

EDITS = [
    {"type_vocab_size": 3},
    {"position_embedding_type": "absolute"},
    {"position_embedding_type": "relative_key"},
    {"position_embedding_type": None},
    {"is_decoder": True, "add_cross_attention": True},
    {"output_past": True},
]

GGUF = {
    "bert": {"config": {**GGUF_ENCODER, "pad_token_id": 0}, "encoder": "pooling_mode_mean_tokens", "file": "f16"},
}
