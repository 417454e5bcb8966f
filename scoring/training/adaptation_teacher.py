"""A teacher inside the adaptation: kernel ridge regression on everything that is known about an answer.

It learns in milliseconds and knows words that a vector does not keep, so its opinions on labelled
answers (of which each was left out) and on unlabelled ones of the same class are worth learning from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

MIXTURES: tuple[Mapping[str, float], ...] = (
    {"vectors": 1.0},
    {"vectors": 0.7, "plain": 0.3},
    {"vectors": 0.6, "words": 0.4},
    {"vectors": 0.4, "plain": 0.3, "words": 0.3},
    {"plain": 0.6, "words": 0.4},
)
"""Shares of the kernels; leaving one answer out decides."""

RIDGES = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Penalties, in units of the kernel's diagonal."""

SHARPNESS = 1.0
"""C of the regression from the teacher's scores to probabilities."""

FLOOR = 0.02
"""Share of every opinion that is spread evenly."""


@dataclass(frozen=True)
class Opinions:
    """What the teacher says about all N answers on one criterion."""

    probabilities: np.ndarray  # (N, L); of a labelled answer as if it had been left out
    error: float  # mean squared error of the expected level of labelled answers, each left out


def teach(kernels: Mapping[str, np.ndarray], known: Sequence[int], labels: Sequence[int], levels: int) -> Opinions:
    """Learn from labelled answers and speak about all.

    Args:
        kernels: name -> (N, N).
        known: (n,) positions of the labelled answers.
        labels: (n,) their level indices.
        levels: L.
    """
    rows = np.asarray(known)
    given = np.asarray(labels)
    reached = (given[:, None] >= np.arange(1, levels)).astype(float)  # (n, L-1)
    best: tuple[float, np.ndarray] | None = None
    with threadpool_limits(1):
        for shares in MIXTURES:
            kernel = sum(share * kernels[name][:, rows] for name, share in shares.items())
            assert isinstance(kernel, np.ndarray)
            kernel = kernel + 1.0  # a constant, so that the mean need not be known
            for ridge in RIDGES:
                said, error = _ridge(kernel, rows, reached, ridge)
                if best is None or error < best[0]:
                    best = error, said
        assert best is not None
        error, said = best
        probabilities = _read(said, rows, given, levels)
    return Opinions(probabilities, error)


def _ridge(kernel: np.ndarray, rows: np.ndarray, reached: np.ndarray, ridge: float) -> tuple[np.ndarray, float]:
    """(N, L-1) chances to reach each level, labelled rows left out, and the squared error of their sum."""
    own = kernel[rows]
    factor = cho_factor(own + ridge * np.eye(len(rows)))
    inverse = cho_solve(factor, np.eye(len(rows)))
    weights = inverse @ reached
    said = kernel @ weights
    # Leaving a row out of a ridge regression has a closed form.
    said[rows] = reached - weights / np.diag(inverse)[:, None]
    return said, float(np.mean((said[rows].sum(1) - reached.sum(1)) ** 2))


def _read(said: np.ndarray, rows: np.ndarray, labels: np.ndarray, levels: int) -> np.ndarray:
    """(N, L) probabilities of levels for (N, L-1) scores: a logistic regression on the score and its square."""
    score = said.sum(1)
    centre, spread = score[rows].mean(), score[rows].std() + 1e-6
    standard = (score - centre) / spread
    features = np.column_stack([standard, standard**2])
    model = LogisticRegression(C=SHARPNESS, max_iter=500).fit(features[rows], labels)
    table = np.full((len(said), levels), FLOOR / levels)
    table[:, model.classes_] += (1 - FLOOR) * model.predict_proba(features)
    return table
