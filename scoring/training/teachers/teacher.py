"""What a teacher is: the protocol, and what people said in the same form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from scoring.domain import Task
from scoring.itembank import LabelledResponse

Key = tuple[str, str]
"""(task id, criterion id)."""

Probabilities = dict[str, np.ndarray]
"""Criterion id -> (n, L) probabilities of the criterion's levels; a row of nan where the teacher has no opinion."""


class Teacher(Protocol):
    """A fitted teacher."""

    def predict_proba(self, task_id: str, rows: Sequence[LabelledResponse]) -> Probabilities:
        """Opinions on n responses to one task, in order.

        Rows and not texts, since one teacher is a second human rater, whose opinion is in the row.
        No other teacher looks at anything but `text`.
        """


class TeacherKind(Protocol):
    """How to make a teacher: a frozen dataclass of hyper-parameters."""

    name: str

    def fit(
        self, tasks: Mapping[str, Task], rows: Sequence[LabelledResponse], *, seed: int, device: str, progress: bool
    ) -> Teacher:
        """Learn from labelled rows of these tasks."""

    def to_json(self) -> dict[str, Any]:
        """Everything that decides what is learnt, for the hash that a cached opinion is found by."""


def level_targets(task: Task, rows: Sequence[LabelledResponse], *, second_weight: float = 0.0) -> dict[str, np.ndarray]:
    """What people said, as distributions: criterion id -> (n, L); nan where nobody rated.

    Args:
        task: the rows' task.
        rows: labelled responses to it.
        second_weight: share of a second rating, where there is one.
    """
    targets: dict[str, np.ndarray] = {}
    for criterion in task.criteria:
        values = [level.value for level in criterion.levels]
        table = np.full((len(rows), len(values)), np.nan)
        for position, row in enumerate(rows):
            first, second = row.levels.get(criterion.id), row.second.get(criterion.id)
            if first is None:
                continue
            table[position] = 0.0
            share = second_weight if second is not None else 0.0
            table[position, values.index(first)] += 1 - share
            if second is not None:
                table[position, values.index(second)] += share
        targets[criterion.id] = table
    return targets
