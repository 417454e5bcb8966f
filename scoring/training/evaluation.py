"""How well a student's levels agree with people's, per criterion, with intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from scoring.agreement import (
    adjacent_agreement,
    bootstrap_kappas,
    draw_resamples,
    exact_agreement,
    fisher_mean,
    percentile_interval,
    plain_mean,
    quadratic_weighted_kappa,
    standardized_mean_difference,
)
from scoring.domain import round_half_up
from scoring.inference.batching import run_batches
from scoring.inference.engine import Engine
from scoring.itembank import LabelledResponse
from scoring.student.model import Student
from scoring.student.tokens import Tokens

Levels = dict[str, int]
"""Criterion id -> level."""


@dataclass(frozen=True)
class CriterionAgreement:
    """Agreement of machine and first human rating on one criterion; nan where it is undefined."""

    criterion_id: str
    n: int  # responses with a human level
    qwk: float
    qwk_low: float  # ends of the 95% bootstrap interval
    qwk_high: float
    exact: float
    adjacent: float
    smd: float
    n_double: int  # of them, responses with a second human level
    human_qwk: float  # of the two humans, on those


@dataclass(frozen=True)
class TaskAgreement:
    """A task's QWK is the plain mean of its criteria's."""

    task_id: str
    n: int
    qwk: float
    qwk_low: float
    qwk_high: float
    criteria: tuple[CriterionAgreement, ...]


@dataclass(frozen=True)
class Agreement:
    """All tasks; means are over tasks, so that a task with many rows or criteria counts once."""

    n: int
    mean_qwk: float
    mean_qwk_low: float
    mean_qwk_high: float
    fisher_qwk: float
    tasks: tuple[TaskAgreement, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values with 4 decimals; undefined ones are null."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def predict(
    engine: Engine, rows: Sequence[LabelledResponse], *, on_progress: Callable[[int, int], None] | None = None
) -> list[Levels]:
    """The engine's levels for rows of any of its tasks, in order."""
    by_task: dict[str, list[int]] = {}
    for position, row in enumerate(rows):
        by_task.setdefault(row.task_id, []).append(position)
    levels: list[Levels] = [{} for _ in rows]
    before = 0

    def tell(done: int, _: int) -> None:
        if on_progress:
            on_progress(before + done, len(rows))

    for task_id, positions in by_task.items():
        scores = engine.score(task_id, [rows[position].text for position in positions], on_progress=tell)
        before += len(positions)
        for position, score in zip(positions, scores, strict=True):
            levels[position] = {criterion.criterion_id: criterion.level for criterion in score.criteria}
    return levels


def measure(
    rows: Sequence[LabelledResponse], predicted: Sequence[Levels], *, replicates: int = 1000, seed: int = 0
) -> Agreement:
    """Compare predicted levels with the first human rating.

    Responses without a human level on a criterion don't count for it. The intervals resample
    responses and hold the tasks fixed: they speak of this student on these tasks.

    Args:
        rows: (N,) labelled responses.
        predicted: (N,) levels.
        replicates: bootstrap resamples for each interval.
        seed: of the bootstrap.
    """
    tasks: list[TaskAgreement] = []
    task_replicates = []
    for task_id in dict.fromkeys(row.task_id for row in rows):
        pairs = [(row, levels) for row, levels in zip(rows, predicted, strict=True) if row.task_id == task_id]
        criteria: list[CriterionAgreement] = []
        resampled: list[np.ndarray] = []
        resamples = draw_resamples(len(pairs), replicates=replicates, seed=seed + len(tasks))
        for criterion_id in dict.fromkeys(c for row, _ in pairs for c in row.levels):
            known = [index for index, (row, _) in enumerate(pairs) if criterion_id in row.levels]
            rated = [pairs[index] for index in known]
            human = [row.levels[criterion_id] for row, _ in rated]
            machine = [levels[criterion_id] for _, levels in rated]
            kappas = bootstrap_kappas(human, machine, resamples[:, known])
            resampled.append(kappas)
            criteria.append(_criterion(criterion_id, rated, human, machine, kappas))
        if criteria:
            task_replicates.append(_mean_over(resampled))
            interval = percentile_interval(task_replicates[-1])
            tasks.append(
                TaskAgreement(
                    task_id=task_id,
                    n=len(pairs),
                    qwk=plain_mean(c.qwk for c in criteria),
                    qwk_low=interval.low,
                    qwk_high=interval.high,
                    criteria=tuple(criteria),
                )
            )
    overall = percentile_interval(_mean_over(task_replicates) if task_replicates else [])
    kappas_of_tasks = [task.qwk for task in tasks]
    return Agreement(
        len(rows),
        plain_mean(kappas_of_tasks),
        overall.low,
        overall.high,
        fisher_mean(kappas_of_tasks),
        tuple(tasks),
    )


def mean_dev_kappa(
    student: Student, tokens: Sequence[Tokens], task_index: Sequence[int], rows: Sequence[LabelledResponse], *,
    pad_id: int, token_budget: int, device: torch.device, autocast: torch.dtype | None,
) -> float:  # fmt: skip
    """Mean over tasks of the mean over criteria of QWK, of a student in training; nan without rows."""
    predicted: list[Levels] = [{} for _ in rows]
    for batch, output in run_batches(
        student,
        tokens,
        task_index,
        pad_id=pad_id,
        token_budget=token_budget,
        device=device,
        autocast=autocast,
    ):
        for (task_id, criterion_id), logits in output.logits.items():
            values = torch.tensor(student.config.tasks[task_id][criterion_id], dtype=torch.float64)
            expected = (logits.double().cpu().softmax(-1) @ values).tolist()
            for row, score in zip(output.rows[task_id].tolist(), expected, strict=True):
                predicted[batch[row]][criterion_id] = round_half_up(score)
    return measure(rows, predicted, replicates=1).mean_qwk


def _criterion(
    criterion_id: str, rated: list[tuple[LabelledResponse, Levels]], human: list[int], machine: list[int],
    kappas: np.ndarray,
) -> CriterionAgreement:  # fmt: skip
    interval = percentile_interval(kappas)
    double = [(row.levels[criterion_id], row.second[criterion_id]) for row, _ in rated if criterion_id in row.second]
    return CriterionAgreement(
        criterion_id=criterion_id,
        n=len(rated),
        qwk=quadratic_weighted_kappa(human, machine),
        qwk_low=interval.low,
        qwk_high=interval.high,
        exact=exact_agreement(human, machine),
        adjacent=adjacent_agreement(human, machine),
        smd=standardized_mean_difference(human, machine),
        n_double=len(double),
        human_qwk=quadratic_weighted_kappa(*zip(*double, strict=True)) if double else float("nan"),
    )


def _mean_over(replicates: Sequence[np.ndarray]) -> np.ndarray:
    """Mean of several (R,) replicate series, undefined ones left out: (R,)."""
    table = np.stack(replicates)
    defined = ~np.isnan(table)
    counts = defined.sum(axis=0)
    sums = np.where(defined, table, 0.0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 4)
    return value
