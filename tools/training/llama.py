"""A compact Llama (RMS norm, rotary positions, grouped keys, SwiGLU, tied head) for training.

The second controlled model: it shows whether a finding holds for another
architecture. Parameter names are those of transformers' LlamaForCausalLM, so a
state dictionary moves over unchanged.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

ROPE_BASE = 10_000.0


@dataclass(frozen=True)
class LlamaShape:
    """The size of a model."""

    vocabulary: int = 4096
    width: int = 256
    layers: int = 4
    heads: int = 4
    key_heads: int = 2
    inner: int = 768
    context: int = 256


def rotary_tables(size: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines, each [length, size]; the two halves of a head turn together."""
    frequencies = ROPE_BASE ** (-torch.arange(0, size, 2).float() / size)
    angles = torch.outer(torch.arange(length).float(), frequencies)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    """Turn the pairs (i, i + size / 2) of [batch, heads, length, size]."""
    first, second = x.chunk(2, dim=-1)
    return x * cosine + torch.cat([-second, first], dim=-1) * sine


class Attention(nn.Module):
    """Causal self-attention; each key head serves `heads / key_heads` query heads."""

    def __init__(self, shape: LlamaShape):
        super().__init__()
        self.heads, self.key_heads = shape.heads, shape.key_heads
        self.size = shape.width // shape.heads
        self.q_proj = nn.Linear(shape.width, shape.width, bias=False)
        self.k_proj = nn.Linear(shape.width, shape.key_heads * self.size, bias=False)
        self.v_proj = nn.Linear(shape.width, shape.key_heads * self.size, bias=False)
        self.o_proj = nn.Linear(shape.width, shape.width, bias=False)

    def forward(self, x, tables):
        """Attend within [batch, length, width]."""
        batch, length, width = x.shape
        split = lambda y, heads: y.view(batch, length, heads, self.size).transpose(1, 2)
        query = rotate(split(self.q_proj(x), self.heads), *tables)
        key = rotate(split(self.k_proj(x), self.key_heads), *tables)
        value = split(self.v_proj(x), self.key_heads)
        repeat = self.heads // self.key_heads
        key, value = key.repeat_interleave(repeat, 1), value.repeat_interleave(repeat, 1)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, length, width))


class Mlp(nn.Module):
    """SwiGLU."""

    def __init__(self, shape: LlamaShape):
        super().__init__()
        self.gate_proj = nn.Linear(shape.width, shape.inner, bias=False)
        self.up_proj = nn.Linear(shape.width, shape.inner, bias=False)
        self.down_proj = nn.Linear(shape.inner, shape.width, bias=False)

    def forward(self, x):
        """Gate, expand, contract."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    """One pre-norm transformer layer."""

    def __init__(self, shape: LlamaShape):
        super().__init__()
        self.input_layernorm = nn.RMSNorm(shape.width, eps=1e-6)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = nn.RMSNorm(shape.width, eps=1e-6)
        self.mlp = Mlp(shape)

    def forward(self, x, tables):
        """Attention and feed-forward, each with its residual."""
        x = x + self.self_attn(self.input_layernorm(x), tables)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    """The language model; `forward` gives logits."""

    def __init__(self, shape: LlamaShape):
        super().__init__()
        self.shape = shape
        self.model = nn.ModuleDict(
            {
                "embed_tokens": nn.Embedding(shape.vocabulary, shape.width),
                "layers": nn.ModuleList(Layer(shape) for _ in range(shape.layers)),
                "norm": nn.RMSNorm(shape.width, eps=1e-6),
            }
        )
        cosine, sine = rotary_tables(shape.width // shape.heads, shape.context)
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)
        self.apply(self._initialise)

    def _initialise(self, module):
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)

    def auxiliary_loss(self):
        """What is added to the loss of the last batch: nothing."""
        return 0.0

    def forward(self, tokens):
        """Logits of the next token at every position of [batch, length] tokens."""
        length = tokens.shape[1]
        tables = self.cosine[:length], self.sine[:length]
        x = self.model["embed_tokens"](tokens)
        for layer in self.model["layers"]:
            x = layer(x, tables)
        return F.linear(self.model["norm"](x), self.model["embed_tokens"].weight)
