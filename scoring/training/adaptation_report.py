"""What a teacher is told about a task that was added: held-out figures, and a verdict in a sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from scoring.agreement import (
    Interval,
    adjacent_agreement,
    bootstrap_kappas,
    draw_resamples,
    exact_agreement,
    percentile_interval,
    quadratic_weighted_kappa,
    standardized_mean_difference,
)  # fmt: skip
from scoring.domain import Criterion, Task
from scoring.inference.engine import criterion_scores
from scoring.itembank import LabelledResponse
from scoring.training.adaptation_calibration import FEWEST_READ, scaled
from scoring.training.learning_curve import GOAL, Point, forecast
from scoring.training.losses import UNLABELLED
from scoring.training.measures import Agreement, CriterionAgreement

FEWEST_DOUBLE = 10
"""Answers rated twice below which two people are not compared."""
FEWEST_TOLD = 40
"""Labelled answers below which held-out figures are called not enough evidence."""
WIDEST = 0.35
"""Width of QWK's interval above which they are called so, too."""


def curve_point(
    task: Task, said: Mapping[str, np.ndarray], taught: Mapping[str, np.ndarray],
    labels: Mapping[str, Sequence[int]], *, read: Mapping[str, np.ndarray], replicates: int,
) -> dict[str, list[float]]:  # fmt: skip
    """Criterion id -> QWK of a model on answers it has not seen, and of resamples of them after it.

    Args:
        task: the task.
        said: criterion id -> (n, L) logits of those answers.
        taught: criterion id -> the level indices that the model was taught.
        labels: criterion id -> (n,) people's level indices, `UNLABELLED` where there is none.
        read: criterion id -> (m, L) logits of unlabelled answers; few of them, and the n stand in.
        replicates: resamples.
    """
    series = {}
    for criterion in task.criteria:
        table = said[criterion.id]
        pool = read.get(criterion.id, table[:0])
        entry = scaled(1.0, taught[criterion.id], pool if len(pool) >= FEWEST_READ else table)
        scores = criterion_scores(criterion.id, criterion.values, table, entry)
        places = [at for at, label in enumerate(labels[criterion.id]) if label != UNLABELLED]
        human = [criterion.values[0] + labels[criterion.id][at] for at in places]
        series[criterion.id] = resampled(human, [scores[at].level for at in places], replicates)
    return series


def resampled(human: Sequence[int], machine: Sequence[int], replicates: int) -> list[float]:
    """QWK, and after it that of each bootstrap resample."""
    drawn = bootstrap_kappas(human, machine, draw_resamples(len(human), replicates=replicates))
    return [quadratic_weighted_kappa(human, machine), *drawn.tolist()]


def join_points(labels: int, series: Sequence[Sequence[float]]) -> Point | None:
    """One point of a curve from several trainings on so many labels; None where QWK is undefined."""
    table = np.asarray(series, dtype=float)
    table = table[~np.isnan(table[:, 0])]
    table = table[:, ~np.isnan(table).all(0)] if len(table) else table
    if not table.size:
        return None
    interval = percentile_interval(np.nanmean(table[:, 1:], axis=0))
    return Point(labels, round(float(table[:, 0].mean()), 4), round(interval.low, 4), round(interval.high, 4))


def criterion_report(
    criterion: Criterion, found: CriterionAgreement, rows: Sequence[LabelledResponse], points: Sequence[Point]
) -> dict[str, Any]:
    """One criterion's part of the report; undefined figures are null."""
    counted = Counter(row.levels[criterion.id] for row in rows if criterion.id in row.levels)
    table = np.asarray(found.confusion)
    thinnest = min(criterion.values, key=lambda value: (counted[value], value))
    told: dict[str, Any] = {"criterion_id": criterion.id, "n": found.n}
    for name in ("qwk", "exact", "adjacent", "smd"):
        interval = Interval(found.qwk_low, found.qwk_high) if name == "qwk" else found.intervals.get(name)
        told |= {
            name: plain(getattr(found, name)),
            f"{name}_low": plain(interval.low) if interval else None,
            f"{name}_high": plain(interval.high) if interval else None,
        }
    return told | {
        "human": _humans(criterion, rows),
        "confusion": table.tolist(),
        "by_level": [_level(value, table[at], at) for at, value in enumerate(found.points)],
        "curve": [asdict(point) for point in points],
        "forecast": forecast_json(points),
        "thinnest": {"value": thinnest, "n": counted[thinnest]},
    }


def forecast_json(points: Sequence[Point]) -> dict[str, Any]:
    """The forecast as the report holds it."""
    found = forecast(points)
    return {"labels": found.labels, "low": found.low, "high": found.high, "sentence": found.sentence}


def verdict(task: Task, criteria: Sequence[Mapping[str, Any]]) -> tuple[bool, str]:
    """Whether there is enough evidence to say how good the model is, and what it says."""
    for told, criterion in zip(criteria, task.criteria, strict=True):
        on = f" on {criterion.name!r}" if len(task.criteria) > 1 else ""
        if told["qwk"] is None or told["qwk_low"] is None:
            return False, f"Not enough evidence: agreement{on} is undefined with these {told['n']} labelled answers."
        if told["n"] < FEWEST_TOLD or told["qwk_high"] - told["qwk_low"] > WIDEST:
            return False, (
                f"Not enough evidence: with {told['n']} labelled answers QWK{on} may be anywhere from "
                f"{told['qwk_low']:.2f} to {told['qwk_high']:.2f}. Label more answers before relying on this model."
            )
    worst = min(range(len(criteria)), key=lambda at: float(criteria[at]["qwk"]))
    told = criteria[worst]
    on = f" on {task.criteria[worst].name!r}, the hardest criterion," if len(task.criteria) > 1 else ""
    figures = f"QWK{on} is {told['qwk']:.2f} ({told['qwk_low']:.2f} to {told['qwk_high']:.2f}) on held-out answers"
    if told["qwk_low"] >= GOAL:
        return True, f"{figures}: above the {GOAL:.2f} that is usually asked for."
    if told["qwk_high"] < GOAL:
        return (
            True,
            f"{figures}: below the {GOAL:.2f} that is usually asked for. Review its scores, or label more answers.",
        )
    return True, f"{figures}; whether it reaches the {GOAL:.2f} that is usually asked for is open."


def add_to_card(base: Mapping[str, Any], task: Task, found: Agreement, report: Mapping[str, Any]) -> dict[str, Any]:
    """The base student's card with the new task's held-out figures, and the report of how it was added."""
    val = dict(base.get("val") or {})
    kept = [entry for entry in val.get("tasks", []) if entry["task_id"] != task.id]
    (entry,) = found.to_json()["tasks"]
    known = [one for one in base.get("tasks", []) if one["id"] != task.id]
    shape = {
        "id": task.id, "title": task.title, "criteria": task.scoring_shape(),
        "rows": {"train": report["examples"], "dev": 0, "val": 0},
    }  # fmt: skip
    wording = {name: share for name, share in base.get("wording", {}).items() if name != task.id}
    return {
        **base, "wording": wording, "tasks": [*known, shape], "val": {**val, "tasks": [*kept, entry]},
        "adaptation": dict(report),
    }  # fmt: skip


def card_addition(task: Task, report: Mapping[str, Any]) -> str:
    """A section for the card that people read."""
    lines = [
        "", f"## Added: {task.title}", "",
        f"Learnt from {report['examples']} labelled answers ({report['unlabelled']} unlabelled ones of the same class "
        "were read, too), with encoder and experts as they were. Figures are cross-validated.", "",
        report["verdict"], "",
        "| criterion | n | QWK | 95% interval | exact | adjacent | SMD |", "|---|---:|---:|---|---:|---:|---:|",
    ]  # fmt: skip
    for told in report["criteria"]:
        figures = [_dash(told[name]) for name in ("qwk", "qwk_low", "qwk_high", "exact", "adjacent", "smd")]
        lines.append(
            f"| {told['criterion_id']} | {told['n']} | {figures[0]} | {figures[1]} to {figures[2]} | {figures[3]} | "
            f"{figures[4]} | {figures[5]} |"
        )
    lines += ["", "| stress check | passed | cases |", "|---|---|---:|"]
    said = {True: "yes", False: "no", None: "not tested"}
    lines += [f"| {entry['title']} | {said[entry['passed']]} | {entry['cases']} |" for entry in report["certificate"]]
    return "\n".join(lines) + "\n"


def plain(value: float | None, digits: int = 4) -> float | None:
    """A number for JSON; undefined ones are null."""
    return None if value is None or not np.isfinite(value) else round(float(value), digits)


def _level(value: int, counts: np.ndarray, at: int) -> dict[str, Any]:
    n = int(counts.sum())
    near = counts[max(0, at - 1) : at + 2].sum()
    exact, adjacent = (counts[at] / n, near / n) if n else (None, None)
    return {"value": value, "n": n, "exact": plain(exact), "adjacent": plain(adjacent)}


def _humans(criterion: Criterion, rows: Sequence[LabelledResponse]) -> dict[str, Any] | None:
    key = criterion.id
    pairs = [(row.levels[key], row.second[key]) for row in rows if key in row.levels and key in row.second]
    if len(pairs) < FEWEST_DOUBLE:
        return None
    first, second = zip(*pairs, strict=True)
    drawn = percentile_interval(bootstrap_kappas(first, second, draw_resamples(len(pairs))))
    return {
        "n": len(pairs), "qwk": plain(quadratic_weighted_kappa(first, second)),
        "qwk_low": plain(drawn.low), "qwk_high": plain(drawn.high),
        "exact": plain(exact_agreement(first, second)), "adjacent": plain(adjacent_agreement(first, second)),
        "smd": plain(standardized_mean_difference(first, second)),
    }  # fmt: skip


def _dash(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
