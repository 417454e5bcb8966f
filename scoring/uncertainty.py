"""How unsure the machine is of a response, in one number for the order of review. Pure; no model, no database."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import numpy as np
from numpy.typing import ArrayLike

from scoring.domain import CriterionScore

SET, SPREAD, GATE, NEIGHBOURS = 0.40, 0.25, 0.10, 0.25
"""Weights of the four signs; they sum to 1. The conformal set leads, because its coverage is measured."""


def uncertainty(
    scores: Sequence[CriterionScore],
    gate_weights: ArrayLike | None = None,
    neighbours: Sequence[Sequence[int]] = (),
) -> float:
    """How unsure the machine is of one response, 0 sure to 1 unsure.

    The mean over its criteria of `0.40 S + 0.25 H + 0.10 G + 0.25 N`, each sign 0 to 1; a sign
    that is not known leaves its weight to the others:

    - `S = (|set| - 1) / (L - 1)`: the levels in the conformal set beyond the first, of those there could be.
    - `H`: entropy of the level distribution over `log L`.
    - `G`: mean over the MoE layers of the gate weights' entropy over `log E`; the same for all criteria.
    - `N`: share of the human levels on near neighbours that differ from the machine's level, `n` of them
      shrunk to `differing / (n + 1)`, so that one neighbour weighs half of what many do.

    Args:
        scores: what the machine says, one entry a criterion; at least one.
        gate_weights: (layers, E) rows that sum to 1, or `None` where they are not known.
        neighbours: per criterion, in the order of `scores`, the human levels on answers that say the same;
            an empty list where there are none.

    Returns:
        A number from 0 to 1, the same on every machine to 12 digits.

    >>> certain = CriterionScore("c", 1, 1.0, (0.0, 1.0, 0.0), (1,))
    >>> torn = CriterionScore("c", 1, 1.0, (1 / 3, 1 / 3, 1 / 3), (0, 1, 2))
    >>> uncertainty([certain]), uncertainty([torn]), uncertainty([certain, torn])
    (0.0, 1.0, 0.5)
    >>> uncertainty([certain], neighbours=[[2, 2, 2]])
    0.208333333333
    """
    gate = _gate_entropy(gate_weights)
    known = list(neighbours) or [()] * len(scores)
    return round(sum(_of_criterion(s, gate, human) for s, human in zip(scores, known, strict=True)) / len(scores), 12)


def _of_criterion(score: CriterionScore, gate: float | None, neighbours: Sequence[int]) -> float:
    levels = len(score.probabilities)
    differing = sum(level != score.level for level in neighbours)
    signs = (
        (SET, (len(score.level_set) - 1) / (levels - 1) if score.level_set else None),
        (SPREAD, _entropy(score.probabilities)),
        (GATE, gate),
        (NEIGHBOURS, differing / (len(neighbours) + 1) if len(neighbours) else None),
    )
    known = [(weight, value) for weight, value in signs if value is not None]
    return sum(weight * value for weight, value in known) / sum(weight for weight, _ in known)


def _gate_entropy(gate_weights: ArrayLike | None) -> float | None:
    if gate_weights is None:
        return None
    layers = np.asarray(gate_weights, dtype=float)
    if layers.ndim != 2 or layers.shape[1] < 2:
        return None  # a single expert is no choice
    return float(np.mean([_entropy(row) for row in layers.tolist()]))


def _entropy(distribution: Sequence[float]) -> float:
    """Shannon entropy over its largest possible value: 0 for one certain outcome, 1 for all alike."""
    total = -sum(p * log(p) for p in distribution if p > 0)
    return min(1.0, max(0.0, total / log(len(distribution))))
