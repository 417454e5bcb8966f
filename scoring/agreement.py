"""How well two sets of scores agree. Pure functions; no model, no I/O.

Formulas follow Williamson, Xi & Breyer (2012), "A Framework for Evaluation and Use of Automated
Scoring", Cohen (1968) for weighted kappa, and RSMTool (Madnani & Loukina 2016) for the rest. Unlike
RSMTool by default, a human score of 0 is a level like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scoring import weighted
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
    return float(weighted.kappas(confusion(human, machine)[None])[0])


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


def macro_f1(human: ArrayLike, machine: ArrayLike) -> float:
    """Mean of the levels' F1 scores, 0 to 1: how well rare levels are found counts as much as common ones.

    Levels that neither side used are left out, as scikit-learn does; nan for empty input.

    >>> round(macro_f1([0, 0, 0, 1], [0, 0, 1, 1]), 3)
    0.733
    """
    return float(weighted.macro_f1(confusion(human, machine)[None])[0])


def pearson_correlation(human: ArrayLike, machine: ArrayLike) -> float:
    """Pearson's r of levels and scores that may be fractional, -1 to 1.

    Returns:
        The correlation; nan for fewer than two responses and when a side is constant.

    >>> round(pearson_correlation([0, 1, 2], [0.5, 1.0, 1.5]), 3)
    1.0
    """
    return float(weighted.correlations(_moments(human, machine))[0])


def standardized_mean_difference(human: ArrayLike, machine: ArrayLike) -> float:
    """How far the machine's mean lies above the human's, in standard deviations of the human's levels.

    `(mean_m - mean_h) / sd_h` with divisor n - 1, as RSMTool since version 7; an absolute value above
    0.15 is flagged (Williamson et al. 2012). Unbounded; positive means that the machine is the more
    generous. The machine's side may be fractional (expected scores).

    Returns:
        The difference; nan for fewer than two responses and when people used a single level.

    >>> round(standardized_mean_difference([0, 1, 2, 3], [0, 2, 2, 3]), 3)
    0.194
    >>> standardized_mean_difference([1, 1], [1, 1])
    nan
    """
    return float(weighted.standardized_mean_differences(_moments(human, machine))[0])


def difference_of_standardized_means(human: ArrayLike, machine: ArrayLike, member: ArrayLike) -> float:
    """How much more the machine than people favours a group of learners, in standard deviations.

    Both sides are standardised over everybody; the group's mean machine z-score less its mean human
    z-score is the difference (DSM; RSMTool since version 7). Beyond +-0.10 is flagged. Unlike a
    difference of means it doesn't grow with what the machine does to everybody alike.

    Args:
        human: (N,) levels.
        machine: (N,) scores, may be fractional.
        member: (N,) true for the group's responses.

    Returns:
        The difference, positive where the machine favours the group; nan when a side is constant or
        the group is empty.

    >>> round(difference_of_standardized_means([0, 1, 0, 1], [0, 1, 0, 0], [True, True, False, False]), 3)
    0.5
    """
    group = weighted.moments(human, machine, np.asarray(member, dtype=float)[None])
    return float(weighted.group_differences(_moments(human, machine), group)[0])


def true_score_reduction(first: ArrayLike, second: ArrayLike, machine: ArrayLike) -> float:
    """PRMSE: the share of the variance of true scores that the machine's scores account for.

    A human level is a true score and an error. Where two people scored, their differences give the
    error's variance, which is taken out of the machine's squared error and of the spread of human
    scores (Haberman 2008; Loukina et al. 2020, "Using PRMSE to evaluate automated scoring systems in
    the presence of label noise"; RSMTool's `prmse_true`). With `c` ratings of a response, `h` their
    mean, N responses and M ratings in all:

        error = mean((h1 - h2)^2 / 2)                       over responses rated twice
        variance = (sum c (h - mean)^2 - (N - 1) error) / (M - sum c^2 / M)
        mse = (sum c (h - m)^2 - N error) / M
        PRMSE = 1 - mse / variance

    Args:
        first: (N,) first human levels.
        second: (N,) second human levels, nan where there is none.
        machine: (N,) machine scores; expected scores before rounding.

    Returns:
        1 when the machine predicts true scores perfectly, 0 when it is no better than their mean; may
        lie outside where little was rated twice. nan without a response rated twice, and when the
        human scores vary no more than their error explains.

    >>> round(true_score_reduction([0, 1, 2, 3], [0, 1, 2, 2], [0.2, 0.9, 2.1, 2.6]), 3)
    1.039
    """
    h1, h2, m = (np.asarray(values, dtype=float) for values in (first, second, machine))
    return float(weighted.prmse(h1, h2, m, np.ones((1, len(h1))))[0])


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
    return weighted.kappas(weighted.tables(first - lowest, second - lowest, size, resamples))


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


def _moments(human: ArrayLike, machine: ArrayLike) -> weighted.Moments:
    first, second = np.asarray(human, dtype=float), np.asarray(machine, dtype=float)
    if first.shape != second.shape or first.ndim != 1:
        raise InvalidInput(f"scores of shapes {first.shape} and {second.shape} can't be paired")
    return weighted.moments(first, second, np.ones((1, len(first))))


def _pair(human: ArrayLike, machine: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    raw = [np.asarray(human), np.asarray(machine)]
    if raw[0].shape != raw[1].shape or raw[0].ndim != 1:
        raise InvalidInput(f"scores of shapes {raw[0].shape} and {raw[1].shape} can't be paired")
    whole = [values.astype(np.int64) for values in raw]
    if any(not np.array_equal(values, integers) for values, integers in zip(raw, whole, strict=True)):
        raise InvalidInput("scores must be whole-number levels; round expected scores first")
    return whole[0], whole[1]
