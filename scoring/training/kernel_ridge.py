"""Kernel ridge regression from labelled answers: what example heads and wording heads are made of.

From a hundred answers it learns in milliseconds, from three thousand in seconds. Its opinions on labelled
answers (of which each was left out) and on unlabelled ones of the same class are also what a delta on the
encoder learns from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


class Ridge(NamedTuple):
    """A fitted regression."""

    error: float  # mean squared error of how many levels are reached, each labelled answer left out
    said: np.ndarray  # (N, L-1) chances to reach each level; of a labelled answer as if it had been left out
    weights: np.ndarray  # (n, L-1)


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
    fitted = fit_ridge(kernel[:, rows], rows, reached)
    explained = 1 - fitted.error / max(float(given.var()), 1e-9)
    return Opinions(levels_of(torch.from_numpy(fitted.said)).numpy(), max(0.0, explained), fitted.weights)


def fit_ridge(kernel: np.ndarray, rows: np.ndarray, reached: np.ndarray) -> Ridge:
    """The regression under the penalty that does best on left-out answers.

    Args:
        kernel: (N, n) likeness of all answers to the labelled ones, a constant included.
        rows: (n,) which of the N the labelled ones are.
        reached: (n, L-1) chances to reach each level above the lowest; 0 or 1 where one person decided.
    """
    with threadpool_limits(1):
        return min((_ridge(kernel, rows, reached, ridge) for ridge in RIDGES), key=lambda of: of.error)


def _ridge(kernel: np.ndarray, rows: np.ndarray, reached: np.ndarray, ridge: float) -> Ridge:
    factor = cho_factor(kernel[rows] + ridge * np.eye(len(rows)))
    inverse = cho_solve(factor, np.eye(len(rows)))
    weights = inverse @ reached
    said = kernel @ weights
    # Leaving a row out of a ridge regression has a closed form.
    said[rows] = reached - weights / np.diag(inverse)[:, None]
    return Ridge(float(np.mean((said[rows].sum(1) - reached.sum(1)) ** 2)), said, weights)
