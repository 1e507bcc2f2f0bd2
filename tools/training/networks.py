"""The controlled models by architecture: the network to train and its transformers counterpart."""

from dataclasses import dataclass
from typing import Callable

from torch import nn
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    PreTrainedModel,
)

from llama import ROPE_BASE, Llama, LlamaShape
from bloom import Bloom, Shape
from mixtral import Mixtral, MixtralShape

TOKENS = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 3, "use_cache": True}


@dataclass(frozen=True)
class Network:
    """One architecture. `exported` makes an empty model of transformers for a shape."""

    shape: Callable[..., Shape | LlamaShape]
    build: Callable[..., nn.Module]
    exported: Callable[[Shape | LlamaShape], PreTrainedModel]


def _bloom(shape: Shape) -> BloomForCausalLM:
    return BloomForCausalLM(
        BloomConfig(
            vocab_size=shape.vocabulary,
            hidden_size=shape.width,
            n_layer=shape.layers,
            n_head=shape.heads,
            seq_length=shape.context,
            **TOKENS,
        )
    )


def _gated(shape: LlamaShape) -> dict:
    """What the configurations of a Llama and of a Mixtral have in common."""
    return {
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.width,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_heads,
        "max_position_embeddings": shape.context,
        "rms_norm_eps": 1e-6,
        "rope_theta": ROPE_BASE,
        "tie_word_embeddings": True,
        **TOKENS,
    }


def _llama(shape: LlamaShape) -> LlamaForCausalLM:
    return LlamaForCausalLM(LlamaConfig(**_gated(shape)))


def _mixtral(shape: MixtralShape) -> MixtralForCausalLM:
    return MixtralForCausalLM(
        MixtralConfig(
            num_local_experts=shape.experts, num_experts_per_tok=shape.active, sliding_window=None, **_gated(shape)
        )
    )


NETWORKS = {
    "bloom": Network(Shape, Bloom, _bloom),
    "llama": Network(LlamaShape, Llama, _llama),
    "mixtral": Network(MixtralShape, Mixtral, _mixtral),
}
