"""Every figure of agreement on one criterion, in the sample and in its resamples, and how figures are joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring import weighted
from scoring.agreement import FISHER_CAP, Interval, percentile_interval
from scoring.confidence import brier_scores
from scoring.training.measures import LevelAgreement, ShapeAgreement
from scoring.training.predictions import Judged

Series = NDArray[np.float64]
"""(1 + R,) one figure: of the sample itself, then of R resamples."""

FIGURES = (
    "qwk", "pearson", "exact", "adjacent", "smd", "macro_f1", "human_qwk", "double_qwk", "degradation", "prmse",
    "brier", "coverage", "set_size",
)  # fmt: skip


def figures_of(judged: Judged, weights: NDArray[np.float64]) -> dict[str, Series]:
    """Every figure of one criterion."""
    unknown = np.full(len(weights), np.nan)
    size, lowest = len(judged.points), judged.points[0]
    human, level = judged.human - lowest, judged.level - lowest
    counts = weighted.tables(human, level, size, weights)
    covered = judged.covered
    figures = dict.fromkeys(FIGURES, unknown) | {
        "exact": weighted.shares_within(counts, 0),
        "adjacent": weighted.shares_within(counts, 1),
        "macro_f1": weighted.macro_f1(counts),
        "pearson": weighted.correlations(weighted.moments(judged.human, judged.expected, weights)),
        "smd": weighted.standardized_mean_differences(weighted.moments(judged.human, judged.level, weights)),
    }
    if len(human) >= 2:
        figures["qwk"] = weighted.kappas(counts)
    double = judged.double
    if double.sum() >= 2:
        second = judged.second[double].astype(int) - lowest
        figures["human_qwk"] = weighted.kappas(weighted.tables(human[double], second, size, weights[:, double]))
        own = weighted.tables(human[double], level[double], size, weights[:, double])
        figures["double_qwk"] = weighted.kappas(own)
        figures["degradation"] = figures["double_qwk"] - figures["human_qwk"]
        figures["prmse"] = weighted.prmse(judged.human, judged.second, judged.expected, weights)
    if judged.probabilities is not None:
        figures["brier"] = weighted.means(brier_scores(judged.probabilities, human), weights)
    if covered is not None and judged.level_sets is not None:
        figures["coverage"] = weighted.means(covered, weights)
        figures["set_size"] = weighted.means([len(held) for held in judged.level_sets], weights)
    return figures


def kappas_of(judged: Judged, weights: NDArray[np.float64]) -> Series:
    """QWK alone."""
    if len(judged.human) < 2:
        return np.full(len(weights), np.nan)
    lowest = judged.points[0]
    return weighted.kappas(weighted.tables(judged.human - lowest, judged.level - lowest, len(judged.points), weights))


def join(several: Sequence[Mapping[str, Series]]) -> dict[str, Series]:
    """Means of the figures, undefined ones left out; of `smd` the series that is furthest from 0."""
    names = several[0] if several else {}
    joined = {name: mean_over([figures[name] for figures in several]) for name in names}
    if "smd" in joined:
        joined["smd"] = max((figures["smd"] for figures in several), key=lambda s: abs(np.nan_to_num(s[0])))
    return joined


def mean_over(series: Sequence[Series]) -> Series:
    """Mean of several (1 + R,) series, undefined values left out."""
    table = np.stack(series)
    defined = ~np.isnan(table)
    counts = defined.sum(axis=0)
    return np.where(counts > 0, np.nan_to_num(table).sum(axis=0) / np.maximum(counts, 1), np.nan)


def fisher_mean_over(series: Sequence[Series]) -> Series:
    """The same through Fisher's z, as `scoring.agreement.fisher_mean`."""
    return np.tanh(mean_over([np.arctanh(np.clip(values, -FISHER_CAP, FISHER_CAP)) for values in series]))


def judgements(several: Sequence[Judged]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Confidence in the own level, and whether it was right, over all criteria that have probabilities."""
    sure = [one for one in several if one.probabilities is not None]
    if not sure:
        return np.empty(0), np.empty(0, dtype=bool)
    return np.concatenate([one.confidence for one in sure]), np.concatenate([one.right for one in sure])


def agreement_by_level(several: Sequence[Judged], points: Sequence[int]) -> tuple[LevelAgreement, ...]:
    """How the machine does with responses that people put at each level, over criteria of these points."""
    human = np.concatenate([one.human for one in several])
    level = np.concatenate([one.level for one in several])
    unknown = [np.full(len(one.human), np.nan) for one in several]
    covered = np.concatenate(
        [nothing if one.covered is None else one.covered for one, nothing in zip(several, unknown, strict=True)]
    )
    found = []
    for point in points:
        here = human == point
        held = covered[here & ~np.isnan(covered)]
        found.append(
            LevelAgreement(
                level=point,
                n=int(here.sum()),
                exact=float(np.mean(level[here] == point)) if here.any() else float("nan"),
                mean_error=float(np.mean(level[here] - point)) if here.any() else float("nan"),
                coverage=float(held.mean()) if len(held) else float("nan"),
            )
        )
    return tuple(found)


def agreement_by_shape(several: Sequence[Judged]) -> tuple[ShapeAgreement, ...]:
    """The same over all criteria with equal score points, smallest scales first."""
    shapes: dict[tuple[int, ...], list[Judged]] = {}
    for one in several:
        shapes.setdefault(one.points, []).append(one)
    return tuple(
        ShapeAgreement(points, len(of_shape), agreement_by_level(of_shape, points))
        for points, of_shape in sorted(shapes.items(), key=lambda item: (len(item[0]), item[0]))
    )


def reasons(judged: Judged, figures: Mapping[str, float]) -> dict[str, str]:
    """Why figures of a criterion are undefined, in words; by name."""
    few = "fewer than two responses"
    one_level = "people gave every response the same level"
    double = judged.double
    if double.sum() < 2:
        of_two = "fewer than two responses were scored by two people"
    else:
        of_two = "one level alone was given to the responses that two people scored"
    words = {
        "qwk": "people and the machine gave every response one and the same level",
        "pearson": one_level if len(set(judged.human.tolist())) < 2 else "the machine gave every response one score",
        "smd": one_level,
        "human_qwk": of_two,
        "double_qwk": of_two,
        "degradation": of_two,
        "prmse": of_two if double.sum() < 2 else "human scores vary no more than their error explains",
        "ece": "the system gives no probabilities",
        "brier": "the system gives no probabilities",
        "coverage": "this version has no score sets",
        "set_size": "this version has no score sets",
    }
    if len(judged.human) < 2:
        words |= dict.fromkeys(("qwk", "pearson", "smd"), few)
    return {name: words[name] for name, value in figures.items() if name in words and np.isnan(value)}


def named(series: Mapping[str, Series]) -> dict[str, Any]:
    """The figures as a `Figures` takes them: values, the ends of the QWK's interval, and the other intervals."""
    rest = intervals(series)
    qwk = rest.pop("qwk", Interval(float("nan"), float("nan")))
    values = {name: float(values[0]) for name, values in series.items()}
    return {**values, "qwk_low": qwk.low, "qwk_high": qwk.high, "intervals": rest}


def intervals(series: Mapping[str, Series]) -> dict[str, Interval]:
    """95% intervals of the figures that have one."""
    found = {name: percentile_interval(values[1:]) for name, values in series.items()}
    return {name: interval for name, interval in found.items() if not np.isnan(interval.low)}
