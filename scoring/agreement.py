"""How well two sets of scores agree. Pure functions on whole-number levels; no model, no I/O.

Formulas follow Williamson, Xi & Breyer (2012), "A Framework for Evaluation and Use of Automated
Scoring", and Cohen (1968) for weighted kappa.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scoring.errors import InvalidInput

FISHER_CAP = 0.999
"""Kappas are capped here before the z-transform, which is infinite at 1 (the ASAP competition's rule)."""


@dataclass(frozen=True)
class Interval:
    """A bootstrap percentile interval; both ends are nan when the statistic is undefined."""

    low: float
    high: float


def confusion(human: ArrayLike, machine: ArrayLike, levels: Sequence[int] | None = None) -> NDArray[np.int64]:
    """Count pairs of levels.

    Args:
        human: (N,) whole-number levels.
        machine: (N,) whole-number levels.
        levels: the score points in ascending order; by default everything from the lowest to the
            highest level that occurs.

    Returns:
        (L, L) counts; rows are the human's levels, columns the machine's. Empty input without
        `levels` gives a (0, 0) table.

    Raises:
        InvalidInput: the lengths differ, a value isn't a whole number, or it isn't among `levels`.

    >>> confusion([0, 1, 1], [0, 1, 2]).tolist()
    [[1, 0, 0], [0, 1, 1], [0, 0, 0]]
    """
    first, second = _pair(human, machine)
    if levels is None:
        both = np.concatenate([first, second])
        levels = list(range(int(both.min()), int(both.max()) + 1)) if len(both) else []
    lowest = levels[0] if levels else 0
    size = len(levels)
    first, second = first - lowest, second - lowest
    for values in (first, second):
        if len(values) and (values.min() < 0 or values.max() >= size):
            raise InvalidInput(f"scores hold a level that is not one of {list(levels)}")
    flat = np.bincount(first * size + second, minlength=size * size)
    return flat.reshape(size, size)


def quadratic_weighted_kappa(human: ArrayLike, machine: ArrayLike) -> float:
    """Cohen's kappa with quadratic weights: `1 - sum(w O) / sum(w E)`, `w_ij = (i - j)^2`.

    `O` are the observed pair counts and `E` those expected from the two margins alone
    (Cohen 1968). Range -1 to 1; 1 is perfect agreement, 0 is what chance gives. Symmetric, and
    unchanged when levels are added that nobody used.

    Returns:
        The kappa; nan for empty input and when both raters give one and the same level to every
        response, because chance then explains everything (0 / 0).

    >>> quadratic_weighted_kappa([0, 1, 2, 2], [0, 1, 2, 2])
    1.0
    >>> round(quadratic_weighted_kappa([0, 1, 2, 3], [0, 1, 1, 3]), 3)
    0.9
    >>> quadratic_weighted_kappa([0, 1, 2], [1, 1, 1])
    0.0
    >>> quadratic_weighted_kappa([2, 2], [2, 2])
    nan
    """
    observed = confusion(human, machine)
    return float(_kappa_of_tables(observed[None])[0])


def exact_agreement(human: ArrayLike, machine: ArrayLike) -> float:
    """Share of responses with the same level, 0 to 1; nan for empty input.

    >>> exact_agreement([0, 1, 2, 3], [0, 1, 1, 3])
    0.75
    """
    first, second = _pair(human, machine)
    return float(np.mean(first == second)) if len(first) else float("nan")


def adjacent_agreement(human: ArrayLike, machine: ArrayLike) -> float:
    """Share of responses whose levels differ by at most one point, 0 to 1; nan for empty input.

    It includes exact agreement. On a two-level criterion it is always 1 and says nothing.

    >>> adjacent_agreement([0, 1, 2, 3], [0, 2, 0, 3])
    0.75
    """
    first, second = _pair(human, machine)
    return float(np.mean(np.abs(first - second) <= 1)) if len(first) else float("nan")


def standardized_mean_difference(human: ArrayLike, machine: ArrayLike) -> float:
    """How far the machine's mean lies above the human's, in pooled standard deviations.

    `(mean_m - mean_h) / sqrt((var_h + var_m) / 2)` with population variances (Williamson et al.
    2012, who flag an absolute value above 0.15). Unbounded; positive means that the machine is
    the more generous. The machine's side may be fractional (expected scores).

    Returns:
        The difference; 0 when both sides are constant and equal, nan for empty input and when both
        are constant and differ.

    >>> round(standardized_mean_difference([0, 1, 2, 3], [0, 2, 2, 3]), 3)
    0.226
    >>> standardized_mean_difference([1, 1], [1, 1])
    0.0
    """
    first = np.asarray(human, dtype=float)
    second = np.asarray(machine, dtype=float)
    if first.shape != second.shape or first.ndim != 1:
        raise InvalidInput(f"scores of shapes {first.shape} and {second.shape} can't be paired")
    if not len(first):
        return float("nan")
    difference = float(second.mean() - first.mean())
    spread = float(np.sqrt((first.var() + second.var()) / 2))
    if spread == 0:
        return 0.0 if difference == 0 else float("nan")
    return difference / spread


def fisher_mean(kappas: Iterable[float]) -> float:
    """Mean of kappas through Fisher's z: `tanh(mean(arctanh(k)))`, each capped at +-0.999.

    Undefined kappas (nan) are left out; nan when none is left. Range -0.999 to 0.999.

    >>> round(fisher_mean([0.5, 0.9]), 3)
    0.766
    """
    values = np.asarray([k for k in kappas if not np.isnan(k)], dtype=float)
    if not len(values):
        return float("nan")
    return float(np.tanh(np.arctanh(np.clip(values, -FISHER_CAP, FISHER_CAP)).mean()))


def plain_mean(values: Iterable[float]) -> float:
    """Arithmetic mean without the undefined (nan) values; nan when none is left.

    >>> plain_mean([0.5, float("nan"), 0.75])
    0.625
    """
    defined = [value for value in values if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def draw_resamples(responses: int, *, replicates: int = 1000, seed: int = 0) -> NDArray[np.float32]:
    """How often each response is drawn in each bootstrap resample.

    One drawing serves all criteria of a task: they were rated on the same responses, and resampling
    them apart would make the interval of their mean too narrow.

    Args:
        responses: N, how many to draw, with replacement.
        replicates: R, how many resamples.
        seed: the same seed gives the same resamples.

    Returns:
        (R, N) counts; rows sum to N.

    >>> draw_resamples(5, replicates=2).sum(axis=1).tolist()
    [5.0, 5.0]
    """
    generator = np.random.default_rng(seed)
    counts = np.zeros((replicates, responses), dtype=np.float32)
    for row in counts:
        row += np.bincount(generator.integers(0, max(responses, 1), responses), minlength=responses)
    return counts


def bootstrap_kappas(human: ArrayLike, machine: ArrayLike, resamples: NDArray[np.float32]) -> NDArray[np.float64]:
    """QWK of resampled responses (Efron's pairs bootstrap).

    Args:
        human: (N,) levels.
        machine: (N,) levels.
        resamples: (R, N) from `draw_resamples`.

    Returns:
        (R,) kappas, nan where a resample has no spread at all; all nan for empty input.
    """
    first, second = _pair(human, machine)
    if not len(first):
        return np.full(len(resamples), np.nan)
    lowest = min(first.min(), second.min())
    size = int(max(first.max(), second.max()) - lowest) + 1
    cells = np.eye(size * size, dtype=np.float32)[(first - lowest) * size + (second - lowest)]  # (N, L * L)
    return _kappa_of_tables((resamples @ cells).reshape(-1, size, size))


def percentile_interval(replicates: ArrayLike, *, coverage: float = 0.95) -> Interval:
    """The central `coverage` part of bootstrap replicates, nan among them left out.

    >>> percentile_interval([float("nan")])
    Interval(low=nan, high=nan)
    """
    values = np.asarray(replicates, dtype=float)
    values = values[~np.isnan(values)]
    if not len(values):
        return Interval(float("nan"), float("nan"))
    tail = 100 * (1 - coverage) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    return Interval(float(low), float(high))


def _kappa_of_tables(tables: NDArray[Any]) -> NDArray[np.float64]:
    """QWK of each (L, L) table in (R, L, L); nan where chance explains everything."""
    size = tables.shape[-1]
    counts = tables.astype(float)
    points = np.arange(size)
    weights = (points[:, None] - points[None, :]) ** 2  # (L, L)
    total = counts.sum(axis=(1, 2))
    disagreement = (counts * weights).sum(axis=(1, 2)) * total
    by_chance = np.einsum("ri,ij,rj->r", counts.sum(axis=2), weights.astype(float), counts.sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(by_chance > 0, 1.0 - disagreement / by_chance, np.nan)


def _pair(human: ArrayLike, machine: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    raw = [np.asarray(human), np.asarray(machine)]
    if raw[0].shape != raw[1].shape or raw[0].ndim != 1:
        raise InvalidInput(f"scores of shapes {raw[0].shape} and {raw[1].shape} can't be paired")
    whole = [values.astype(np.int64) for values in raw]
    if any(not np.array_equal(values, integers) for values, integers in zip(raw, whole, strict=True)):
        raise InvalidInput("scores must be whole-number levels; round expected scores first")
    return whole[0], whole[1]
