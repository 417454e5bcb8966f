"""Low-rank deltas on the encoder's linear layers (Hu et al. 2021, arXiv 2106.09685).

A layer computes `base(x) + delta(x) + task_delta(x)`: one delta shared by all tasks, which is merged
into the base for scoring, and one per task, which each row of a batch picks by its task (after
Latif & Zhai 2024, arXiv 2412.21065). Both are optional.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

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


class RowTasks:
    """Which task each row of the batch in hand belongs to; the layers that need it share one."""

    def __init__(self) -> None:
        self.index: Tensor | None = None

    @contextmanager
    def of(self, task_index: Tensor) -> Iterator[None]:
        """Within the block the encoder's rows belong to these tasks: (B,) indices."""
        self.index = task_index
        try:
            yield
        finally:
            self.index = None


class TaskDeltas(nn.Module):
    """A low-rank delta per adapted task; every row of a mixed batch goes through its own task's and no other.

    Rows of tasks without one are not touched: not computed, not added to, not by a bit.
    """

    slot: Tensor

    def __init__(
        self, slots: Sequence[int], width_in: int, width_out: int, rank: int, alpha: float, rows: RowTasks
    ) -> None:
        super().__init__()
        self.scale = alpha / rank
        adapted = max(slots) + 1
        self.down = nn.Parameter(torch.empty(adapted, rank, width_in))
        self.up = nn.Parameter(torch.zeros(adapted, width_out, rank))
        for down in self.down:
            nn.init.kaiming_uniform_(down, a=math.sqrt(5))
        self.register_buffer("slot", torch.tensor(slots), persistent=False)  # (tasks,), -1 without a delta
        self._rows = rows

    def forward(self, out: Tensor, x: Tensor) -> Tensor:
        """(B, T, out), (B, T, in) -> (B, T, out) with the deltas added."""
        if self._rows.index is None:
            raise RuntimeError("task deltas run inside a student only, which says which task each row is of")
        slots = self.slot[self._rows.index]  # (B,)
        chosen = (slots >= 0).nonzero()[:, 0]  # (n,)
        if not len(chosen):
            return out
        down, up = self.down[slots[chosen]], self.up[slots[chosen]]  # (n, r, in), (n, out, r)
        narrow = torch.bmm(x[chosen], down.to(x.dtype).transpose(1, 2))  # (n, T, r)
        delta = torch.bmm(narrow, up.to(x.dtype).transpose(1, 2)) * self.scale
        return out.index_add(0, chosen, delta.to(out.dtype))


class AdaptedLinear(nn.Module):
    """A frozen linear layer with trainable low-rank deltas beside it."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.delta: LowRankDelta | None = None
        self.task_delta: TaskDeltas | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out); (B, T, in) where there is a delta per task."""
        out: Tensor = self.base(x)
        if self.delta is not None:
            out = out + self.delta(x)
        if self.task_delta is not None:
            out = self.task_delta(out, x)
        return out

    @torch.no_grad()
    def merge(self) -> nn.Module:
        """Add the shared delta into the base weight; what is left of the layer without it."""
        if self.delta is not None:
            self.base.weight += self.delta.as_weight().to(self.base.weight.dtype)
            self.delta = None
        return self.base if self.task_delta is None else self


def add_adapters(encoder: nn.Module, names: Sequence[str], rank: int, alpha: float) -> int:
    """Freeze an encoder and put a shared delta beside each linear layer whose last name is in `names`.

    Returns:
        How many layers were adapted; 0 when `rank` is 0.

    Raises:
        InvalidInput: a name matches no linear layer; the message lists those there are.
    """
    encoder.requires_grad_(False)
    if rank == 0:
        return 0
    layers = _adapted(encoder, names, "lora_modules")
    for layer in layers:
        layer.delta = LowRankDelta(layer.base.in_features, layer.base.out_features, rank, alpha)
    return len(layers)


def add_task_adapters(
    encoder: nn.Module, names: Sequence[str], rank: int, alpha: float, slots: Sequence[int]
) -> RowTasks:
    """Put deltas per task beside each linear layer whose last name is in `names`; none when `rank` is 0.

    Args:
        encoder: frozen already.
        names: last names of the layers.
        rank: of the deltas.
        alpha: the deltas are scaled by alpha / rank.
        slots: per task of the student, which delta is its own; -1 for none.

    Returns:
        What the layers are told by which task each row is of.

    Raises:
        InvalidInput: a name matches no linear layer.
    """
    rows = RowTasks()
    if rank and max(slots) >= 0:
        for layer in _adapted(encoder, names, "task_lora_modules"):
            layer.task_delta = TaskDeltas(slots, layer.base.in_features, layer.base.out_features, rank, alpha, rows)
    return rows


def merge_adapters(encoder: nn.Module) -> int:
    """Merge every shared delta into its layer, which computes the same; returns how many layers there were."""
    adapted = [(name, module) for name, module in encoder.named_modules() if isinstance(module, AdaptedLinear)]
    for name, module in adapted:
        encoder.set_submodule(name, module.merge())
    return len(adapted)


def _adapted(encoder: nn.Module, names: Sequence[str], setting: str) -> list[AdaptedLinear]:
    """The layers with these last names, wrapped where they aren't yet."""
    layers = {
        name: module
        for name, module in encoder.named_modules()
        if isinstance(module, nn.Linear | AdaptedLinear) and not name.endswith(".base")
    }
    last_names = {name.rsplit(".", 1)[-1] for name in layers}
    unknown = sorted(set(names) - last_names)
    if unknown:
        raise InvalidInput(f"{setting}: the encoder has no layer {unknown[0]!r}; it has {sorted(last_names)}")
    chosen = []
    for name, module in layers.items():
        if name.rsplit(".", 1)[-1] in names:
            layer = module if isinstance(module, AdaptedLinear) else AdaptedLinear(module)
            encoder.set_submodule(name, layer)
            chosen.append(layer)
    return chosen
