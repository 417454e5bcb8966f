"""A teacher inside the adaptation: kernel ridge regression on everything that is known about an answer.

It learns in milliseconds and knows words that a vector does not keep, so its opinions on labelled
answers (of which each was left out) and on unlabelled ones of the same class are worth learning from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from threadpoolctl import threadpool_limits

MIXTURES: tuple[Mapping[str, float], ...] = ({"hidden": 0.3, "vectors": 0.2, "plain": 0.2, "words": 0.3},)
"""Shares of the kernels; where there are several, leaving one answer out decides."""

RIDGES = (0.03, 0.1, 0.3, 1.0, 3.0)
"""Penalties, in units of the kernel's diagonal."""

FLOOR = 0.02
"""Share of every opinion that is spread evenly."""


@dataclass(frozen=True)
class Opinions:
    """What the teacher says about all N answers on one criterion."""

    probabilities: np.ndarray  # (N, L); of a labelled answer as if it had been left out
    explained: float  # share of the variance of labels that it explains, each label left out; 0 at least


def teach(kernels: Mapping[str, np.ndarray], known: Sequence[int], labels: Sequence[int], levels: int) -> Opinions:
    """Learn from labelled answers and speak about all.

    Args:
        kernels: name -> (N, N).
        known: (n,) positions of the labelled answers.
        labels: (n,) their level indices.
        levels: L.
    """
    if not len(known):
        return Opinions(np.full((len(next(iter(kernels.values()))), levels), 1 / levels), 0.0)
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
    explained = 1 - error / max(float(given.var()), 1e-9)
    return Opinions(_read(said), max(0.0, explained))


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


def _read(reached: np.ndarray) -> np.ndarray:
    """(N, L) probabilities of levels from (N, L-1) chances to reach each level above the lowest.

    A regression fitted to left-out scores would be simpler and wrong: where little was learnt, leaving
    a row out moves its score away from its label, and the fit turns the scale around.
    """
    chances = np.minimum.accumulate(reached.clip(0.0, 1.0), axis=1)
    ends = np.ones((len(chances), 1))
    table = np.hstack([ends, chances]) - np.hstack([chances, 0 * ends])
    spread: np.ndarray = FLOOR / table.shape[1] + (1 - FLOOR) * table
    return spread
