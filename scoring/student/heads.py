"""One head per criterion, for any number of levels.

Every head returns (B, L) logits whose softmax is the distribution over levels, so that losses,
calibration and scoring need not know which kind it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class SoftmaxHead(nn.Module):
    """Unordered levels. With two levels it is one yes/no logit beside a fixed zero."""

    def __init__(self, width: int, levels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, 1 if levels == 2 else levels)
        nn.init.zeros_(self.linear.bias)
        nn.init.normal_(self.linear.weight, std=0.02)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, D) -> (B, L)."""
        logits = self.linear(self.dropout(hidden)).float()
        return nn.functional.pad(logits, (1, 0)) if logits.shape[-1] == 1 else logits


class CumulativeHead(nn.Module):
    """Ordered levels: `P(level > k) = sigmoid(s - b_k)` with `b_0 < b_1 < ...`.

    One score and ordered thresholds (McCullagh 1980), so the cumulative probabilities can never
    cross: rank-consistent in the sense of CORAL (Cao et al. 2020).
    """

    def __init__(self, width: int, levels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.score = nn.Linear(width, 1, bias=False)
        nn.init.normal_(self.score.weight, std=0.02)
        self.first = nn.Parameter(torch.tensor(-(levels - 2) / 2.0))
        # softplus(0.5413) = 1: thresholds start one apart, centred on zero.
        self.gaps = nn.Parameter(torch.full((levels - 2,), 0.5413))

    def thresholds(self) -> Tensor:
        """(L - 1,) ascending."""
        return self.first + nn.functional.pad(nn.functional.softplus(self.gaps), (1, 0)).cumsum(0)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, D) -> (B, L) log-probabilities."""
        margin = self.score(self.dropout(hidden)).float() - self.thresholds()  # (B, L-1)
        above = nn.functional.pad(margin.sigmoid(), (1, 0), value=1.0)  # P(level >= k), (B, L)
        at_level = above - nn.functional.pad(above[:, 1:], (0, 1))  # (B, L)
        return at_level.clamp(min=1e-7).log()


class TrainedHeads(nn.ModuleList):
    """All heads of one task, trained by steps: one linear map per criterion."""

    def __init__(self, kind: str, width: int, levels: Sequence[int], dropout: float) -> None:
        super().__init__(build_head(kind, width, count, dropout) for count in levels)

    def forward(self, hidden: Tensor) -> list[Tensor]:
        """(B, D) -> per criterion (B, L)."""
        return [head(hidden) for head in self]


def build_head(kind: str, width: int, levels: int, dropout: float) -> nn.Module:
    """The head for a criterion; two levels need no thresholds and are always one yes/no logit."""
    if kind == "cumulative" and levels > 2:
        return CumulativeHead(width, levels, dropout)
    return SoftmaxHead(width, levels, dropout)
