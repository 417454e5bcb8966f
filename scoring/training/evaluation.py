"""How well a system's scores agree with people's, per criterion, per task and over all, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from scoring import weighted
from scoring.agreement import confusion, draw_resamples, percentile_interval
from scoring.confidence import calibration_error_by_chance, expected_calibration_error, reliability_bins
from scoring.itembank import LabelledResponse
from scoring.training import figures, groups
from scoring.training.measures import Agreement, CriterionAgreement, Difference, TaskAgreement
from scoring.training.predictions import Judged, Prediction, Predictions, gather

if TYPE_CHECKING:
    from scoring.inference.engine import Engine

Looks = dict[groups.Group, groups.GroupLook]


def predict(
    engine: Engine, rows: Sequence[LabelledResponse], *, on_progress: Callable[[int, int], None] | None = None
) -> list[dict[str, Prediction]]:
    """The engine's predictions for rows of any of its tasks, in order."""
    by_task: dict[str, list[int]] = {}
    for position, row in enumerate(rows):
        by_task.setdefault(row.task_id, []).append(position)
    found: list[dict[str, Prediction]] = [{} for _ in rows]
    before = 0

    def tell(done: int, _: int) -> None:
        if on_progress:
            on_progress(before + done, len(rows))

    for task_id, positions in by_task.items():
        points = engine.tasks[task_id]
        scores = engine.score(task_id, [rows[position].text for position in positions], on_progress=tell)
        before += len(positions)
        for position, score in zip(positions, scores, strict=True):
            found[position] = {
                c.criterion_id: Prediction(c.level, c.expected, points[c.criterion_id], c.probabilities, c.level_set)
                for c in score.criteria
            }
    return found


def measure(
    rows: Sequence[LabelledResponse], predicted: Sequence[Predictions], *, replicates: int = 1000, seed: int = 0
) -> Agreement:
    """Compare predictions with the first human rating.

    Responses without a human level on a criterion don't count for it. The intervals resample
    responses and hold the tasks fixed: they speak of this system on these tasks. The same seed draws
    the same resamples for every system that is measured on the same rows.

    Args:
        rows: (N,) labelled responses.
        predicted: (N,) what the system says, from `predict` or `predictions_from`, or bare levels.
        replicates: bootstrap resamples for each interval.
        seed: of the bootstrap.

    Raises:
        InvalidInput: people scored a response that the system has no prediction for.
    """
    kinds, left_out = groups.find_groups(rows)
    tasks: list[TaskAgreement] = []
    series: list[dict[str, figures.Series]] = []
    looks: list[Looks] = []
    everything: list[Judged] = []
    for of_task, judged, weights in _by_task(rows, predicted, replicates, seed):
        task, of_criteria, its_looks = _task(of_task, judged, weights, groups.members_of(kinds, of_task))
        tasks.append(task)
        series.append(of_criteria)
        looks += its_looks
        everything += judged
    undefined = np.full(1 + replicates, np.nan)
    means = figures.join(series)
    qwk = means.pop("qwk", undefined)
    fisher = figures.fisher_mean_over([of_task["qwk"] for of_task in series]) if series else undefined
    of_mean, of_fisher = (percentile_interval(values[1:]) for values in (qwk, fisher))
    confidence, right = figures.judgements(everything)
    bins = reliability_bins(confidence, right)
    sizes = {kind: sum(g.n for task in tasks for g in task.groups if (g.column, g.value) == kind) for kind in kinds}
    return Agreement(
        n=len(rows),
        mean_qwk=float(qwk[0]),
        mean_qwk_low=of_mean.low,
        mean_qwk_high=of_mean.high,
        fisher_qwk=float(fisher[0]),
        fisher_qwk_low=of_fisher.low,
        fisher_qwk_high=of_fisher.high,
        means={name: float(values[0]) for name, values in means.items()},
        intervals=figures.intervals(means),
        ece=expected_calibration_error(bins),
        ece_by_chance=calibration_error_by_chance(confidence),
        reliability=tuple(bins),
        by_level=figures.agreement_by_shape(everything),
        groups=groups.join(looks, sizes),
        groups_left_out=left_out,
        tasks=tuple(tasks),
    )


def interval_of_difference(
    rows: Sequence[LabelledResponse], predicted_a: Sequence[Predictions], predicted_b: Sequence[Predictions], *,
    replicates: int = 1000, seed: int = 0,
) -> Difference:  # fmt: skip
    """Mean QWK of system A less system B on the same responses, resampled together (paired bootstrap).

    What two systems find hard they mostly find hard together, so this interval is narrower than their
    own intervals suggest: a difference whose interval leaves out 0 is one beyond chance in these rows.

    Args:
        rows: (N,) labelled responses.
        predicted_a: (N,) predictions or levels.
        predicted_b: (N,) the same of the other system.
        replicates: bootstrap resamples.
        seed: of the bootstrap.
    """
    means = []
    for predicted in (predicted_a, predicted_b):
        of_tasks = [
            figures.mean_over([figures.kappas_of(judged, weights[:, judged.place]) for judged in of_task])
            for _, of_task, weights in _by_task(rows, predicted, replicates, seed)
        ]
        means.append(figures.mean_over(of_tasks) if of_tasks else np.full(1 + replicates, np.nan))
    apart = means[0] - means[1]
    interval = percentile_interval(apart[1:])
    return Difference(float(apart[0]), interval.low, interval.high)


def _by_task(
    rows: Sequence[LabelledResponse], predicted: Sequence[Predictions], replicates: int, seed: int
) -> Iterator[tuple[list[LabelledResponse], list[Judged], NDArray[np.float64]]]:
    """Each task's rows, its criteria that people scored, and its weights (1 + R, N); a row of ones first."""
    pairs: dict[str, tuple[list[LabelledResponse], list[Predictions]]] = {}
    for row, said in zip(rows, predicted, strict=True):
        of_task = pairs.setdefault(row.task_id, ([], []))
        of_task[0].append(row)
        of_task[1].append(said)
    number = 0
    for of_rows, of_predicted in pairs.values():
        judged = gather(of_rows, of_predicted)
        if judged:
            drawn = draw_resamples(len(of_rows), replicates=replicates, seed=seed + number)
            yield of_rows, judged, np.vstack([np.ones((1, len(of_rows))), drawn])
            number += 1


def _task(
    rows: Sequence[LabelledResponse], judged: Sequence[Judged], weights: NDArray[np.float64], members: groups.Members
) -> tuple[TaskAgreement, dict[str, figures.Series], list[Looks]]:
    """A task's figures, the series they come from, and its criteria's looks at groups."""
    criteria, series, looks = [], [], []
    for one in judged:
        of_criterion = figures.figures_of(one, weights[:, one.place])
        here = {group: member[one.place] for group, member in members.items()}
        look = groups.look_at_groups(one, weights[:, one.place], here)
        criteria.append(_criterion(one, of_criterion, look, here))
        series.append(of_criterion)
        looks.append(look)
    means = figures.join(series)
    on_all = sorted(set.intersection(*(set(one.place.tolist()) for one in judged)))
    right = np.ones(len(rows), dtype=bool)
    for one in judged:
        right[one.place] &= one.right
    means["exact_match"] = weighted.means(right[on_all], weights[:, on_all])
    task = TaskAgreement(
        task_id=rows[0].task_id,
        n=len(rows),
        n_double=len({place for one in judged for place in one.place[one.double].tolist()}),
        ece=expected_calibration_error(reliability_bins(*figures.judgements(judged))),
        groups=groups.join(looks, {group: int(member.sum()) for group, member in members.items()}),
        criteria=tuple(criteria),
        **figures.named(means),
    )
    return task, means, looks


def _criterion(
    judged: Judged, series: Mapping[str, figures.Series], look: Looks, members: groups.Members
) -> CriterionAgreement:
    values = figures.named(series)
    ece = expected_calibration_error(reliability_bins(*figures.judgements([judged])))
    return CriterionAgreement(
        criterion_id=judged.criterion_id,
        n=len(judged.human),
        n_double=int(judged.double.sum()),
        ece=ece,
        groups=groups.join([look], {group: int(member.sum()) for group, member in members.items()}),
        points=judged.points,
        confusion=tuple(tuple(row) for row in confusion(judged.human, judged.level, judged.points).tolist()),
        levels=figures.agreement_by_level([judged], judged.points),
        undefined=figures.reasons(judged, {**values, "ece": ece}),
        **values,
    )
