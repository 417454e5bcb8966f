"""Low-rank deltas on the encoder's linear layers (Hu et al. 2021, arXiv 2106.09685).

A layer computes `base(x) + delta(x)`. The delta is its own module, so that a layer may later hold
one delta per task and pick it by row; today one delta is shared by all tasks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from scoring.errors import InvalidInput


class LowRankDelta(nn.Module):
    """`x -> alpha / rank * up @ down @ x`. `up` starts at zero: an untrained delta changes nothing."""

    def __init__(self, width_in: int, width_out: int, rank: int, alpha: float) -> None:
        super().__init__()
        self.scale = alpha / rank
        self.down = nn.Parameter(torch.empty(rank, width_in))
        self.up = nn.Parameter(torch.zeros(width_out, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        return nn.functional.linear(nn.functional.linear(x, self.down), self.up) * self.scale

    def as_weight(self) -> Tensor:
        """The same map as one (out, in) matrix."""
        return self.up @ self.down * self.scale


class AdaptedLinear(nn.Module):
    """A frozen linear layer with a trainable low-rank delta beside it."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.delta = LowRankDelta(base.in_features, base.out_features, rank, alpha)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out)."""
        adapted: Tensor = self.base(x) + self.delta(x)
        return adapted

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """The base layer with the delta added into its weight, in place."""
        self.base.weight += self.delta.as_weight().to(self.base.weight.dtype)
        return self.base


def add_adapters(encoder: nn.Module, names: Sequence[str], rank: int, alpha: float) -> int:
    """Freeze an encoder and put a delta beside each linear layer whose last name is in `names`.

    Returns:
        How many layers were adapted; 0 when `rank` is 0.

    Raises:
        InvalidInput: a name matches no linear layer; the message lists those there are.
    """
    encoder.requires_grad_(False)
    if rank == 0:
        return 0
    linears = {name: module for name, module in encoder.named_modules() if isinstance(module, nn.Linear)}
    last_names = {name.rsplit(".", 1)[-1] for name in linears}
    unknown = sorted(set(names) - last_names)
    if unknown:
        raise InvalidInput(f"lora_modules: the encoder has no layer {unknown[0]!r}; it has {sorted(last_names)}")
    adapted = [name for name in linears if name.rsplit(".", 1)[-1] in names]
    for name in adapted:
        encoder.set_submodule(name, AdaptedLinear(linears[name], rank, alpha))
    return len(adapted)


def merge_adapters(encoder: nn.Module) -> int:
    """Replace every adapted layer by a plain one that computes the same; returns how many there were."""
    adapted = [(name, module) for name, module in encoder.named_modules() if isinstance(module, AdaptedLinear)]
    for name, module in adapted:
        encoder.set_submodule(name, module.merged())
    return len(adapted)
