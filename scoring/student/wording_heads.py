"""What the wording of an answer adds to the trained heads of its task.

The encoder reads meaning and forgets words: beside it, a linear model of rare words, pairs and runs of
letters still finds what a level hangs on. Both opinions are mixed, as probabilities (bench/README.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from scoring.student.example_heads import levels_of
from scoring.student.wording import BUCKETS, POWER, wording, wording_counts


class WordingHeads(nn.Module):
    """The wording's part in all criteria of one task. It is computed in closed form, not trained by steps."""

    rarity: Tensor
    power: Tensor
    share: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("rarity", torch.zeros(2 * BUCKETS))
        self.register_buffer("power", torch.full((1,), POWER))
        self.register_buffer("share", torch.full((1,), 0.5))  # of the mixture, above 0 and at most 1
        self.criteria = nn.ModuleList(Reach(count) for count in levels)

    @property
    def reaches(self) -> Iterator[Reach]:
        """One per criterion, in the task's order."""
        return (reach for reach in self.criteria if isinstance(reach, Reach))

    def forward(
        self, tables: Sequence[Tensor], input_ids: Tensor, attention_mask: Tensor, spelling: Tensor
    ) -> list[Tensor]:
        """Per criterion (B, L) logits of the trained heads, (B, T) tokens -> (B, L) logarithms of the mixture.

        `spelling` is the vocabulary's, from `spelling_of`.
        """
        shared = wording(wording_counts(input_ids, attention_mask, spelling), self.rarity, self.power)
        mixed = []
        for table, reach in zip(tables, self.reaches, strict=True):
            read = (table.float() / reach.temperature).softmax(-1)
            mixed.append(((1 - self.share) * read + self.share * levels_of(reach(shared).float())).log())
        return mixed


class Reach(nn.Module):
    """Chances that an answer reaches each level above the lowest of one criterion, by its wording."""

    temperature: Tensor
    by_wording: Tensor
    constant: Tensor

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.register_buffer("temperature", torch.ones(1))  # of the trained head's logits, before they are mixed
        self.register_buffer("by_wording", torch.zeros(2 * BUCKETS, levels - 1))
        self.register_buffer("constant", torch.zeros(levels - 1))

    def forward(self, shared: Tensor) -> Tensor:
        """(B, 2 BUCKETS) -> (B, L - 1), not yet between 0 and 1."""
        return shared @ self.by_wording + self.constant
