"""Kernel ridge regression from labelled answers: what a task's example heads are made of.

It learns in milliseconds. Its opinions on labelled answers (of which each was left out) and on
unlabelled ones of the same class are also what a delta on the encoder learns from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import cho_factor, cho_solve
from threadpoolctl import threadpool_limits

from scoring.student.example_heads import levels_of

RIDGES = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Penalties, in units of the kernel's diagonal; leaving one answer out decides."""


@dataclass(frozen=True)
class Opinions:
    """What is said about all N answers on one criterion, and by which rule."""

    probabilities: np.ndarray  # (N, L); of a labelled answer as if it had been left out
    explained: float  # share of the variance of labels that it explains, each label left out; 0 at least
    weights: np.ndarray  # (n, L-1) of the labelled answers: an answer's kernel row times these says what it reaches


def teach(kernel: np.ndarray, known: Sequence[int], labels: Sequence[int], levels: int) -> Opinions:
    """Learn from labelled answers and speak about all.

    Args:
        kernel: (N, N) likeness of every two answers, a constant included so that the mean need not be known.
        known: (n,) positions of the labelled answers.
        labels: (n,) their level indices.
        levels: L.
    """
    if not len(known):
        return Opinions(np.full((len(kernel), levels), 1 / levels), 0.0, np.zeros((0, levels - 1)))
    rows = np.asarray(known)
    given = np.asarray(labels)
    reached = (given[:, None] >= np.arange(1, levels)).astype(float)  # (n, L-1)
    to_known = kernel[:, rows]
    with threadpool_limits(1):
        error, said, weights = min((_ridge(to_known, rows, reached, ridge) for ridge in RIDGES), key=lambda of: of[0])
    explained = 1 - error / max(float(given.var()), 1e-9)
    return Opinions(levels_of(torch.from_numpy(said)).numpy(), max(0.0, explained), weights)


def _ridge(
    kernel: np.ndarray, rows: np.ndarray, reached: np.ndarray, ridge: float
) -> tuple[float, np.ndarray, np.ndarray]:
    """The squared error on left-out labels, (N, L-1) chances to reach each level, and (n, L-1) weights."""
    factor = cho_factor(kernel[rows] + ridge * np.eye(len(rows)))
    inverse = cho_solve(factor, np.eye(len(rows)))
    weights = inverse @ reached
    said = kernel @ weights
    # Leaving a row out of a ridge regression has a closed form.
    said[rows] = reached - weights / np.diag(inverse)[:, None]
    return float(np.mean((said[rows].sum(1) - reached.sum(1)) ** 2)), said, weights
