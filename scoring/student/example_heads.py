"""Heads of a task that was learnt from few labels: a new answer is compared with the labelled ones.

Kernel ridge regression on how near two answers are in meaning, how much of their wording they share and,
a little, how long they are. Meanings of the labelled answers are kept, their texts are not. With few
labels this beats a linear head by far (bench/README.md): a vector does not keep words.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from scoring.student.wording import BUCKETS, POWER, length_of, relative_length, wording, wording_counts

NEARNESS = 2.0
"""How fast likeness in meaning fades, in units of the inverse of the class's median distance."""
LENGTH = 0.01
"""Weight of length, in standard deviations from the class's mean, against 1 for meaning and wording together."""
FLOOR = 0.02
"""Share of every opinion that is spread evenly."""


class ExampleHeads(nn.Module):
    """All heads of one task. Everything here is computed in closed form and nothing is trained by steps."""

    centre: Tensor
    examples: Tensor
    steepness: Tensor
    rarity: Tensor
    power: Tensor
    lengths: Tensor

    def __init__(self, width: int, examples: int, levels: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(width))  # mean of the class
        self.register_buffer("examples", torch.zeros(examples, width))  # (n, D) where they lie from the centre
        self.register_buffer("steepness", torch.ones(1))
        self.register_buffer("rarity", torch.zeros(2 * BUCKETS))
        self.register_buffer("power", torch.full((1,), POWER))
        self.register_buffer("lengths", torch.ones(2))  # mean and standard deviation of the class
        self.criteria = nn.ModuleList(Reach(examples, count) for count in levels)

    def forward(self, vectors: Tensor, input_ids: Tensor, attention_mask: Tensor, spelling: Tensor) -> list[Tensor]:
        """(B, D) pooled answers, (B, T) their tokens -> per criterion (B, L) log-probabilities.

        `spelling` is the vocabulary's, from `spelling_of`.
        """
        near = meaning(directions(vectors.float(), self.centre), self.examples, self.steepness)  # (B, n)
        shared = wording(wording_counts(input_ids, attention_mask, spelling), self.rarity, self.power)
        long = relative_length(length_of(attention_mask), self.lengths)  # (B,)
        return [levels_of(reach(near, shared, long)).log() for reach in self.criteria]


class Reach(nn.Module):
    """Chances that an answer reaches each level above the lowest of one criterion."""

    by_example: Tensor
    by_wording: Tensor
    by_length: Tensor
    constant: Tensor

    def __init__(self, examples: int, levels: int) -> None:
        super().__init__()
        self.register_buffer("by_example", torch.zeros(examples, levels - 1))
        self.register_buffer("by_wording", torch.zeros(2 * BUCKETS, levels - 1))
        self.register_buffer("by_length", torch.zeros(levels - 1))
        self.register_buffer("constant", torch.zeros(levels - 1))

    def forward(self, near: Tensor, shared: Tensor, long: Tensor) -> Tensor:
        """(B, n), (B, 2 BUCKETS), (B,) -> (B, L - 1), not yet between 0 and 1."""
        return near @ self.by_example + shared @ self.by_wording + long[:, None] * self.by_length + self.constant


def directions(vectors: Tensor, centre: Tensor) -> Tensor:
    """(N, D), (D,) -> (N, D) of unit length, where each answer lies from the centre."""
    return nn.functional.normalize(vectors - centre, dim=-1)


def meaning(one: Tensor, other: Tensor, steepness: Tensor) -> Tensor:
    """(N, D), (M, D) directions -> (N, M) how near they are: 1 for the same, fading with their squared distance."""
    return (-steepness * (2 - 2 * one @ other.T)).exp()


def steepness_of(unit: Tensor) -> Tensor:
    """(N, D) directions of a class -> (1,) how fast nearness is to fade in it."""
    apart = 2 - 2 * unit @ unit.T
    return (NEARNESS / apart.median().clamp(min=1e-6)).reshape(1)


def levels_of(reached: Tensor) -> Tensor:
    """(B, L - 1) chances to reach each level above the lowest -> (B, L) probabilities of levels."""
    # The gradient goes through the limits: an answer beyond them has words that brought it there, too.
    within = reached + (reached.clamp(0, 1) - reached).detach()
    chances = nn.functional.pad(within.cummin(-1).values, (1, 0), value=1.0)  # (B, L)
    table = chances - nn.functional.pad(chances[:, 1:], (0, 1))
    return FLOOR / table.shape[-1] + (1 - FLOOR) * table
