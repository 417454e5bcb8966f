"""How agreement grows with labels, and how many more a goal would take. Pure; no model.

Errors of learners fall as a power of what they have seen (Hestness et al. 2017), so agreement is
fitted as `ceiling - drop * labels ** -rate`, and the goal is read off the fitted line. What the points
leave open is said by an interval: each point is moved at random within its own error and fitted again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

GOAL = 0.70
"""QWK from which automated scores are usually accepted (Williamson, Xi & Breyer 2012)."""
FARTHEST = 2000
"""Labels beyond which nothing is forecast."""
RATES = np.linspace(0.3, 0.8, 11)
"""Powers that are tried; few points can't tell more."""
HIGHEST = 0.95
"""No ceiling is above this, which is more than two people reach."""
LEAST_ERROR = 0.03


@dataclass(frozen=True)
class Point:
    """Agreement after learning from so many labels."""

    labels: int
    qwk: float
    low: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """Labels needed in all; None where the goal is not in sight."""

    labels: int | None
    low: int | None
    high: int | None
    sentence: str


def forecast(points: Sequence[Point], *, goal: float = GOAL, replicates: int = 200, seed: int = 0) -> Forecast:
    """How many labels the goal takes, with a 90% interval.

    Args:
        points: of the curve, any order; at least three different sizes are needed.
        goal: QWK.
        replicates: fits to points that were moved within their error.
        seed: of the moves.
    """
    sizes = sorted({point.labels for point in points})
    if len(sizes) < 3:
        return Forecast(None, None, None, "Too few labelled answers for a learning curve, so nothing is forecast.")
    labels = np.array([point.labels for point in points], dtype=float)
    qwk = np.array([point.qwk for point in points])
    error = np.maximum(np.array([point.high - point.low for point in points]) / 3.92, LEAST_ERROR)
    middle = needed(labels, qwk, error, goal)
    moved = np.random.default_rng(seed).normal(qwk, error, size=(replicates, len(points)))
    found = sorted(needed(labels, row, error, goal) for row in moved)
    low, high = found[round(0.05 * (replicates - 1))], found[round(0.95 * (replicates - 1))]
    return Forecast(_known(middle), _known(low), _known(high), _sentence(middle, low, high, sizes[-1], goal))


def needed(labels: np.ndarray, qwk: np.ndarray, error: np.ndarray, goal: float) -> float:
    """Labels at which the fitted line reaches the goal; infinite where it doesn't within `FARTHEST`.

    >>> n = np.array([16.0, 32.0, 64.0, 128.0])
    >>> round(needed(n, 0.9 - 2 * n**-0.5, np.full(4, 0.01), 0.7))
    100
    """
    best = (np.inf, 0.0, 0.0, 0.5)
    for rate in RATES:
        table = np.column_stack([np.ones(len(labels)), -(labels**-rate)]) / error[:, None]
        (ceiling, drop), _ = nnls(table, qwk / error)
        if ceiling > HIGHEST:
            ceiling = HIGHEST
            drop = max(
                0.0, float(np.sum((ceiling - qwk) * labels**-rate / error**2) / np.sum((labels**-rate / error) ** 2))
            )
        misfit = float((((ceiling - drop * labels**-rate) - qwk) ** 2 / error**2).sum())
        if misfit < best[0] - 1e-9:
            best = (misfit, float(ceiling), float(drop), float(rate))
    _, ceiling, drop, rate = best
    if ceiling <= goal:
        return float("inf")
    at = (drop / (ceiling - goal)) ** (1 / rate) if drop > 0 else 1.0
    return float(at) if at <= FARTHEST else float("inf")


def _known(labels: float) -> int | None:
    return None if np.isinf(labels) else max(1, round(labels))


def _sentence(middle: float, low: float, high: float, have: int, goal: float) -> str:
    if np.isinf(low):
        return f"QWK {goal:.2f} is not in sight with {FARTHEST:,} labelled answers, as far as this curve can tell."
    least = f"{max(1, round(low)):,}"
    if np.isinf(middle):
        return f"QWK {goal:.2f} may take more than {FARTHEST:,} labelled answers; {least} at the very least."
    most = f"more than {FARTHEST:,}" if np.isinf(high) else f"{round(high):,}"
    if middle <= have:
        return f"The curve has reached QWK {goal:.2f} at about {round(middle):,} labelled answers ({least} to {most})."
    return f"About {round(middle):,} labelled answers in all may be needed for QWK {goal:.2f} ({least} to {most})."
