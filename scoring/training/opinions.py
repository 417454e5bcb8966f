"""How well a teacher's opinions agree with people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from scoring.domain import Task
from scoring.itembank import LabelledResponse
from scoring.training.evaluation import measure
from scoring.training.measures import Agreement
from scoring.training.predictions import predictions_from
from scoring.training.targets import Targets


def measure_targets(targets: Targets, tasks: Mapping[str, Task], rows: Sequence[LabelledResponse]) -> Agreement:
    """Agreement with the first human ratings, on the rows and criteria that the teacher has an opinion on.

    On rows of train and dev the opinions are out-of-fold, so this is agreement on unseen answers
    there as on val rows; but those are the mean of the folds' models, and so a little better.
    """
    judged = []
    for row in rows:
        levels = {c: value for c, value in row.levels.items() if (row.task_id, row.response_id, c) in targets.opinions}
        if levels:
            judged.append(replace(row, levels=levels))
    points = {task.id: task.scoring_shape() for task in tasks.values()}
    said = predictions_from(judged, points, lambda row, c: targets.of(row.task_id, row.response_id, c))
    return measure(judged, said)
