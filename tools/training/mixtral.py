"""A compact Mixtral for training: the Llama of llama.py with experts in place of its MLP.

Two experts a token, chosen by a router that is trained with the rest. A small loss of
balance (Switch Transformer, arXiv:2101.03961, equations 4 to 6) keeps experts in use;
nothing says which language takes which. Names are those of transformers'
MixtralForCausalLM.
"""

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from llama import Llama, LlamaShape

BALANCE = 0.01
"""What the loss of balance is multiplied by: Switch Transformer's. With two experts a token a balanced router has 2, not 1."""


@dataclass(frozen=True)
class MixtralShape(LlamaShape):
    """The size of a model; `inner` is that of one expert."""

    inner: int = 256
    experts: int = 8
    active: int = 2


class Router(nn.Module):
    """Scores of all experts."""

    def __init__(self, shape: MixtralShape):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape.experts, shape.width) * 0.02)


class Experts(nn.Module):
    """Gate, up and down of all experts, stacked as transformers has them."""

    def __init__(self, shape: MixtralShape):
        super().__init__()
        self.gate_up_proj = nn.Parameter(torch.randn(shape.experts, 2 * shape.inner, shape.width) * 0.02)
        self.down_proj = nn.Parameter(torch.randn(shape.experts, shape.width, shape.inner) * 0.02)


class MixtralMlp(nn.Module):
    """The experts of a block; `imbalance` is that of the last batch."""

    def __init__(self, shape: MixtralShape):
        super().__init__()
        self.active = shape.active
        self.gate = Router(shape)
        self.experts = Experts(shape)
        self.imbalance = torch.zeros(())

    def forward(self, x):
        """Each token through its experts, weighted by shares that sum to 1."""
        rows = x.flatten(0, 1)
        shares = F.linear(rows, self.gate.weight).float().softmax(-1)
        weights, chosen = shares.topk(self.active, -1)
        weights = weights / weights.sum(-1, keepdim=True)
        count = shares.shape[-1]
        used = F.one_hot(chosen, count).sum(1).float().mean(0)
        self.imbalance = count * (used * shares.mean(0)).sum()
        output = torch.zeros_like(rows)
        for expert in range(count):
            token, rank = torch.where(chosen == expert)
            gate, up = F.linear(rows[token], self.experts.gate_up_proj[expert]).chunk(2, -1)
            moved = F.linear(F.silu(gate) * up, self.experts.down_proj[expert])
            output = output.index_add(0, token, (moved * weights[token, rank, None]).to(output.dtype))
        return output.view_as(x)


class Mixtral(Llama):
    """The language model; `forward` gives logits."""

    def __init__(self, shape: MixtralShape):
        super().__init__(shape)
        for layer in self.model["layers"]:
            layer.mlp = MixtralMlp(shape)

    def auxiliary_loss(self):
        """What is added to the loss of the last batch: the mean imbalance of the blocks."""
        layers = self.model["layers"]
        return BALANCE * sum(layer.mlp.imbalance for layer in layers) / len(layers)
