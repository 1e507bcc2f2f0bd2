"""A compact BLOOM (ALiBi, fused qkv, embedding layer norm, tied head) for training.

Parameter names are those of transformers' BloomForCausalLM, so a state
dictionary moves over unchanged.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Shape:
    """The size of a model."""

    vocabulary: int = 4096
    width: int = 256
    layers: int = 4
    heads: int = 4
    context: int = 256


def alibi_bias(heads: int, length: int) -> torch.Tensor:
    """Causal ALiBi bias, [heads, length, length]; heads must be a power of two."""
    slopes = torch.tensor([2 ** (-8 * (head + 1) / heads) for head in range(heads)])
    position = torch.arange(length)
    distance = (position[None, :] - position[:, None]).float()
    bias = slopes[:, None, None] * distance
    return bias.masked_fill(distance > 0, float("-inf"))


class Attention(nn.Module):
    """Self-attention; the fused projection is laid out [head, q|k|v, dimension]."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.heads = shape.heads
        self.query_key_value = nn.Linear(shape.width, 3 * shape.width)
        self.dense = nn.Linear(shape.width, shape.width)

    def forward(self, x, bias):
        """Attend with a precomputed causal bias."""
        batch, length, width = x.shape
        fused = self.query_key_value(x).view(batch, length, self.heads, 3, width // self.heads)
        query, key, value = fused.permute(3, 0, 2, 1, 4).unbind(0)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.dense(mixed.transpose(1, 2).reshape(batch, length, width))


class Mlp(nn.Module):
    """The feed-forward part with BLOOM's tanh GELU."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.dense_h_to_4h = nn.Linear(shape.width, 4 * shape.width)
        self.dense_4h_to_h = nn.Linear(4 * shape.width, shape.width)

    def forward(self, x):
        """Expand, activate, contract."""
        return self.dense_4h_to_h(F.gelu(self.dense_h_to_4h(x), approximate="tanh"))


class Block(nn.Module):
    """One pre-norm transformer layer."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.input_layernorm = nn.LayerNorm(shape.width)
        self.self_attention = Attention(shape)
        self.post_attention_layernorm = nn.LayerNorm(shape.width)
        self.mlp = Mlp(shape)

    def forward(self, x, bias):
        """Attention and feed-forward, each with its residual."""
        x = x + self.self_attention(self.input_layernorm(x), bias)
        return x + self.mlp(self.post_attention_layernorm(x))


class Bloom(nn.Module):
    """The language model; `forward` gives logits."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.transformer = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(shape.vocabulary, shape.width),
                "word_embeddings_layernorm": nn.LayerNorm(shape.width),
                "h": nn.ModuleList(Block(shape) for _ in range(shape.layers)),
                "ln_f": nn.LayerNorm(shape.width),
            }
        )
        bias = alibi_bias(shape.heads, shape.context)
        self.register_buffer("bias", bias[None], persistent=False)
        self.apply(self._initialise)

    def _initialise(self, module):
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)

    def auxiliary_loss(self):
        """What is added to the loss of the last batch: nothing."""
        return 0.0

    def forward(self, tokens):
        """Logits of the next token at every position of [batch, length] tokens."""
        length = tokens.shape[1]
        bias = self.bias[..., :length, :length]
        x = self.transformer["word_embeddings"](tokens)
        x = self.transformer["word_embeddings_layernorm"](x)
        for block in self.transformer["h"]:
            x = block(x, bias)
        x = self.transformer["ln_f"](x)
        return F.linear(x, self.transformer["word_embeddings"].weight)
