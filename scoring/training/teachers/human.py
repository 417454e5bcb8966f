"""The second human rater as a teacher: what a second rating says about the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from scoring.domain import Task
from scoring.errors import InvalidInput
from scoring.itembank import LabelledResponse
from scoring.training.teachers.teacher import Key, Probabilities

HUMAN = "human"
"""Name of this teacher, whose opinions are ratings of the rows themselves and not a machine's."""


@dataclass(frozen=True)
class HumanTeacher:
    """How far a second rating is trusted before the two raters were seen together often."""

    strength: float = 5.0  # double ratings that the prior belief counts as, per level of the second rater
    agreement: float = 0.8  # prior share of first ratings equal to the second; the rest is spread evenly
    name: str = HUMAN

    def __post_init__(self) -> None:
        if not self.strength > 0:
            raise InvalidInput(f"strength: {self.strength!r} is not above 0")
        if not 0 < self.agreement < 1:
            raise InvalidInput(f"agreement: {self.agreement!r} is not between 0 and 1")

    def to_json(self) -> dict[str, Any]:
        """All values."""
        return asdict(self)

    def fit(
        self, tasks: Mapping[str, Task], rows: Sequence[LabelledResponse], *, seed: int = 0, device: str = "cpu",
        progress: bool = True,
    ) -> FittedHuman:  # fmt: skip
        """Count how the two raters were seen together; nothing is random."""
        tables: dict[Key, np.ndarray] = {}
        for task in tasks.values():
            for criterion in task.criteria:
                lowest, levels = criterion.values[0], len(criterion.levels)
                spread = (1 - self.agreement) / (levels - 1)
                prior = np.full((levels, levels), spread) + (self.agreement - spread) * np.eye(levels)
                counts = np.zeros((levels, levels))  # (second, first)
                for row in rows:
                    first, second = row.levels.get(criterion.id), row.second.get(criterion.id)
                    if row.task_id == task.id and first is not None and second is not None:
                        counts[second - lowest, first - lowest] += 1
                given = counts + self.strength * prior
                tables[task.id, criterion.id] = given / given.sum(axis=1, keepdims=True)
        return FittedHuman(tasks, tables)


class FittedHuman:
    """Per criterion, the distribution of the first rating for each second rating."""

    def __init__(self, tasks: Mapping[str, Task], tables: Mapping[Key, np.ndarray]) -> None:
        self._tasks, self._tables = tasks, tables

    def predict_proba(self, task_id: str, rows: Sequence[LabelledResponse]) -> Probabilities:
        """Criterion id -> (n, L); a row of nan where there is no second rating."""
        found: Probabilities = {}
        for criterion in self._tasks[task_id].criteria:
            table = self._tables[task_id, criterion.id]
            opinions = np.full((len(rows), len(criterion.levels)), np.nan)
            for position, row in enumerate(rows):
                second = row.second.get(criterion.id)
                if second is not None:
                    opinions[position] = table[second - criterion.values[0]]
            found[criterion.id] = opinions
        return found
