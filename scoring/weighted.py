"""Agreement statistics over many resamples at once: the arithmetic behind `scoring.agreement` and its intervals.

Every function gives one value per row of `weights` (R, N): how often each of N responses counts in each of
R resamples. A row of ones is the sample itself. A value is nan where its resample leaves it undefined.
What the statistics mean, and their sources, is said in `scoring.agreement`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

NOTHING = 1e-12
"""Variances below this are those of a constant, in squared points."""


def means(values: ArrayLike, weights: NDArray[Any]) -> Floats:
    """Weighted means of (N,) values: (R,)."""
    return _ratio(weights @ np.asarray(values, dtype=float), weights.sum(axis=1))


def tables(human: NDArray[np.int64], machine: NDArray[np.int64], size: int, weights: NDArray[Any]) -> Floats:
    """Confusion tables: (R, L, L), rows the human's level.

    Args:
        human: (N,) places of levels, 0 to L - 1.
        machine: (N,) the same.
        size: L.
        weights: (R, N).
    """
    cells = np.zeros((len(human), size * size), dtype=np.float32)
    cells[np.arange(len(human)), human * size + machine] = 1
    return (weights.astype(np.float32) @ cells).astype(float).reshape(-1, size, size)


def kappas(counts: NDArray[Any]) -> Floats:
    """Quadratic weighted kappa of (R, L, L) tables; nan where chance explains everything."""
    size = counts.shape[-1]
    counts = counts.astype(float)
    points = np.arange(size)
    apart = ((points[:, None] - points[None, :]) ** 2).astype(float)  # (L, L)
    disagreement = (counts * apart).sum(axis=(1, 2)) * counts.sum(axis=(1, 2))
    by_chance = np.einsum("ri,ij,rj->r", counts.sum(axis=2), apart, counts.sum(axis=1))
    return 1.0 - _ratio(disagreement, by_chance)


def shares_within(counts: NDArray[Any], distance: int) -> Floats:
    """Share of responses at most `distance` levels apart, of (R, L, L) tables."""
    points = np.arange(counts.shape[-1])
    near = np.abs(points[:, None] - points[None, :]) <= distance
    return _ratio((counts * near).sum(axis=(1, 2)), counts.sum(axis=(1, 2)))


def macro_f1(counts: NDArray[Any]) -> Floats:
    """Mean F1 over the levels that either side used, of (R, L, L) tables."""
    right = np.einsum("rii->ri", counts)
    used = counts.sum(axis=2) + counts.sum(axis=1)  # (R, L)
    f1 = np.nan_to_num(_ratio(2 * right, used))
    return _ratio(f1.sum(axis=1), (used > 0).sum(axis=1))


@dataclass(frozen=True)
class Moments:
    """Means, variances (divisor n - 1) and covariance of two score series, (R,) each."""

    human_mean: Floats
    machine_mean: Floats
    human_variance: Floats
    machine_variance: Floats
    covariance: Floats


def moments(human: ArrayLike, machine: ArrayLike, weights: NDArray[Any]) -> Moments:
    """Moments of (N,) scores under (R, N) weights; variances are nan for fewer than two responses."""
    h, m, w = np.asarray(human, dtype=float), np.asarray(machine, dtype=float), weights.astype(float)
    # Centred first, so that the differences of squares below lose no digits.
    centre_h, centre_m = (float(values.mean()) if len(values) else 0.0 for values in (h, m))
    h, m = h - centre_h, m - centre_m
    n = w.sum(axis=1)
    mean_h, mean_m = _ratio(w @ h, n), _ratio(w @ m, n)
    variance_h, variance_m, covariance = (
        _ratio(w @ (a * b) - n * mean_a * mean_b, n - 1)
        for a, b, mean_a, mean_b in ((h, h, mean_h, mean_h), (m, m, mean_m, mean_m), (h, m, mean_h, mean_m))
    )
    # What rounding leaves of a constant side isn't spread.
    variance_h, variance_m = (np.where(v < NOTHING, 0.0 * v, v) for v in (variance_h, variance_m))
    return Moments(mean_h + centre_h, mean_m + centre_m, variance_h, variance_m, covariance)


def correlations(of: Moments) -> Floats:
    """Pearson's r; nan where a side is constant."""
    return _ratio(of.covariance, np.sqrt(of.human_variance * of.machine_variance))


def standardized_mean_differences(of: Moments) -> Floats:
    """The machine's mean less the human's, in standard deviations of the human; nan where that is 0."""
    return _ratio(of.machine_mean - of.human_mean, np.sqrt(of.human_variance))


def group_differences(of: Moments, group: Moments) -> Floats:
    """Difference of standardised means: a group's mean z-score by the machine less that by the human.

    Args:
        of: moments of everybody, which standardise.
        group: moments of the group alone.
    """
    machine = _ratio(group.machine_mean - of.machine_mean, np.sqrt(of.machine_variance))
    human = _ratio(group.human_mean - of.human_mean, np.sqrt(of.human_variance))
    return machine - human


def prmse(first: ArrayLike, second: ArrayLike, machine: ArrayLike, weights: NDArray[Any]) -> Floats:
    """Proportional reduction in mean squared error; see `scoring.agreement.true_score_reduction`.

    Args:
        first: (N,) first human levels.
        second: (N,) second human levels, nan where there is none.
        machine: (N,) machine scores.
        weights: (R, N).
    """
    h1, h2, m = (np.asarray(values, dtype=float) for values in (first, second, machine))
    w = weights.astype(float)
    double = ~np.isnan(h2)
    ratings = 1.0 + double  # (N,) ratings of each response
    rated = np.where(double, (h1 + np.nan_to_num(h2)) / 2, h1)
    responses, total = w.sum(axis=1), w @ ratings
    # With two ratings a response's error variance is half its squared difference.
    error = _ratio(w[:, double] @ ((h1 - h2)[double] ** 2 / 2), w[:, double].sum(axis=1))
    mean = _ratio(w @ (ratings * rated), total)
    spread = w @ (ratings * rated**2) - total * mean**2 - (responses - 1) * error
    variance = _ratio(spread, total - _ratio(w @ ratings**2, total))
    squared = _ratio(w @ (ratings * (rated - m) ** 2) - responses * error, total)
    return 1.0 - _ratio(squared, np.where(variance > NOTHING, variance, 0.0))


def _ratio(above: Any, below: Any) -> Floats:
    """Elementwise division, nan where the divisor isn't positive."""
    above, below = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)
