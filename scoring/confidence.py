"""How far probabilities and score sets can be believed: calibration error, Brier score, coverage.

Pure functions; no model, no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scoring.errors import InvalidInput

BINS = 10
SMALLEST_BIN = 20
"""Fewer judgements than this a bin say little about its share: there are fewer bins then."""


@dataclass(frozen=True)
class Bin:
    """Judgements of similar confidence: how sure the machine was, and how often it was right."""

    n: int
    confidence: float  # mean probability the machine gave its own level
    right: float  # share of them that people gave the same level


def reliability_bins(confidence: ArrayLike, right: ArrayLike, *, bins: int | None = None) -> list[Bin]:
    """Sort judgements by confidence and cut them into bins of equal size (equal mass).

    Equal-width bins would be nearly empty where the machine is seldom unsure (Nguyen & O'Connor 2015).

    Args:
        confidence: (N,) probability of the machine's own level, 0 to 1.
        right: (N,) whether it is the human's level.
        bins: how many; by default 10, fewer where a bin would hold under 20.

    Returns:
        Bins from least to most confident; none for empty input.

    >>> reliability_bins([0.9, 0.5, 0.7, 0.9], [True, False, True, True], bins=2)
    [Bin(n=2, confidence=0.6, right=0.5), Bin(n=2, confidence=0.9, right=1.0)]
    """
    sure, hit = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    if sure.shape != hit.shape or sure.ndim != 1:
        raise InvalidInput(f"confidences of shape {sure.shape} and judgements of shape {hit.shape} can't be paired")
    if bins is None:
        bins = min(BINS, max(1, len(sure) // SMALLEST_BIN))
    order = np.argsort(sure, kind="stable")
    return [
        Bin(len(part), float(sure[part].mean()), float(hit[part].mean()))
        for part in np.array_split(order, bins)
        if len(part)
    ]


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """ECE: mean distance between confidence and share of right levels, weighted by bin size.

    `sum(n_b / N * |right_b - confidence_b|)` (Naeini et al. 2015), 0 to 1; nan without bins.

    >>> round(expected_calibration_error([Bin(30, 0.6, 0.5), Bin(10, 0.9, 0.9)]), 3)
    0.075
    """
    total = sum(part.n for part in bins)
    return sum(part.n * abs(part.right - part.confidence) for part in bins) / total if total else float("nan")


def calibration_error_by_chance(confidence: ArrayLike, *, draws: int = 200, seed: int = 0) -> float:
    """The ECE that a perfectly calibrated machine of these confidences would show on so few judgements.

    ECE is a sum of absolute values and so never 0 on a sample; a figure near this one is no evidence of
    miscalibration. Mean over `draws` simulated sets of judgements; nan for empty input.
    """
    sure = np.asarray(confidence, dtype=float)
    if not len(sure):
        return float("nan")
    generator = np.random.default_rng(seed)
    simulated = [reliability_bins(sure, generator.random(len(sure)) < sure) for _ in range(draws)]
    return float(np.mean([expected_calibration_error(bins) for bins in simulated]))


def brier_scores(probabilities: ArrayLike, place: ArrayLike) -> NDArray[np.float64]:
    """Squared distance of each distribution from what people said (Brier 1950), 0 to 2; lower is better.

    Args:
        probabilities: (N, L), rows sum to 1.
        place: (N,) place of the human's level among the L, from 0.

    Returns:
        (N,) scores; their mean is the Brier score. It falls with better calibration and with better
        ranking alike, and can't be improved by saying what one doesn't believe.

    >>> brier_scores([[0.8, 0.2], [0.5, 0.5]], [0, 1]).round(3).tolist()
    [0.08, 0.5]
    """
    table, index = np.asarray(probabilities, dtype=float), np.asarray(place, dtype=int)
    if table.ndim != 2 or index.shape != table.shape[:1]:
        raise InvalidInput(f"distributions of shape {table.shape} and levels of shape {index.shape} can't be paired")
    wanted = np.zeros_like(table)
    wanted[np.arange(len(index)), index] = 1.0
    distance: NDArray[np.float64] = ((table - wanted) ** 2).sum(axis=1)
    return distance
