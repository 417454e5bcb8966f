"""What a system says about labelled responses, whether it is a student, a teacher or an ensemble."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scoring.domain import round_half_up
from scoring.errors import InvalidInput
from scoring.itembank import LabelledResponse

Points = Mapping[str, Mapping[str, Sequence[int]]]
"""Task id -> criterion id -> score points, ascending and consecutive."""


@dataclass(frozen=True)
class Prediction:
    """What a system says about one response on one criterion."""

    level: int
    expected: float  # in points, before rounding; the level itself where only that is known
    points: tuple[int, ...] = ()  # the score points that the probabilities belong to
    probabilities: tuple[float, ...] = ()  # empty where the system gives levels only
    level_set: tuple[int, ...] = ()  # empty where the system gives no sets


Predictions = Mapping[str, Prediction | int]
"""Criterion id -> prediction; a bare level is a prediction without probabilities."""


@dataclass(frozen=True)
class Judged:
    """People and a system on one criterion of a task: N responses that have a first human level."""

    criterion_id: str
    place: NDArray[np.int64]  # (N,) positions among the task's rows
    points: tuple[int, ...]
    human: NDArray[np.int64]  # (N,) levels
    second: NDArray[np.float64]  # (N,) second human levels, nan where there is none
    level: NDArray[np.int64]  # (N,)
    expected: NDArray[np.float64]  # (N,)
    probabilities: NDArray[np.float64] | None  # (N, L)
    level_sets: Sequence[tuple[int, ...]] | None

    @property
    def right(self) -> NDArray[np.bool_]:
        """(N,) whether the system's level is the human's."""
        same: NDArray[np.bool_] = self.level == self.human
        return same

    @property
    def double(self) -> NDArray[np.bool_]:
        """(N,) whether two people scored the response."""
        return ~np.isnan(self.second)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(N,) probability of the system's own level; (0,) where it gives none."""
        if self.probabilities is None:
            return np.empty(0)
        chosen: NDArray[np.float64] = self.probabilities[np.arange(len(self.level)), self.level - self.points[0]]
        return chosen

    @property
    def covered(self) -> NDArray[np.float64] | None:
        """(N,) 1 where the level set holds the human level, else 0; None without sets."""
        if self.level_sets is None:
            return None
        return np.array([level in held for level, held in zip(self.human, self.level_sets, strict=True)], dtype=float)


def predictions_from(
    rows: Sequence[LabelledResponse], points: Points, opinion: Callable[[LabelledResponse, str], ArrayLike | None]
) -> list[dict[str, Prediction]]:
    """Predictions of anything that gives distributions: its level is the expected score, rounded half up.

    Args:
        rows: (N,) labelled responses.
        points: score points of each criterion.
        opinion: (row, criterion id) -> (L,) probabilities, or None where there is no opinion.
    """
    found: list[dict[str, Prediction]] = []
    for row in rows:
        of_row: dict[str, Prediction] = {}
        for criterion_id, values in points[row.task_id].items():
            given = opinion(row, criterion_id)
            if given is not None:
                probabilities = np.asarray(given, dtype=float)
                expected = float(probabilities @ np.asarray(values, dtype=float))
                of_row[criterion_id] = Prediction(
                    round_half_up(expected), expected, tuple(values), tuple(probabilities.tolist())
                )
        found.append(of_row)
    return found


def gather(rows: Sequence[LabelledResponse], predicted: Sequence[Predictions]) -> list[Judged]:
    """Put one task's rows and predictions side by side, criterion by criterion.

    Responses without a human level on a criterion are left out of it.

    Raises:
        InvalidInput: a human level without a prediction, or outside the system's score points; names the response.
    """
    criteria: dict[str, list[int]] = {}
    for position, row in enumerate(rows):
        for criterion_id in row.levels:
            criteria.setdefault(criterion_id, []).append(position)
    return [_judged(criterion_id, rows, predicted, place) for criterion_id, place in criteria.items()]


def _judged(
    criterion_id: str, rows: Sequence[LabelledResponse], predicted: Sequence[Predictions], place: list[int]
) -> Judged:
    given = []
    for position in place:
        said = predicted[position].get(criterion_id)
        if said is None:
            row = rows[position]
            raise InvalidInput(
                f"response {row.response_id!r} of task {row.task_id!r}, criterion {criterion_id!r}: people scored it "
                "and the system did not; compare on the same responses"
            )
        given.append(said if isinstance(said, Prediction) else Prediction(said, float(said)))
    human = [rows[position].levels[criterion_id] for position in place]
    second = [float(rows[position].second.get(criterion_id, np.nan)) for position in place]
    levels = [said.level for said in given]
    points = given[0].points
    if not points:
        used = {*human, *levels, *(int(level) for level in second if level == level)}
        points = tuple(range(min(used), max(used) + 1))
    for position, level in zip(place, human, strict=True):
        if level not in points:
            raise InvalidInput(
                f"response {rows[position].response_id!r} of task {rows[position].task_id!r}, criterion "
                f"{criterion_id!r}: level {level} is not one of the system's {list(points)}"
            )
    return Judged(
        criterion_id=criterion_id,
        place=np.array(place),
        points=points,
        human=np.array(human),
        second=np.array(second),
        level=np.array(levels),
        expected=np.array([said.expected for said in given]),
        probabilities=np.array([p.probabilities for p in given]) if all(p.probabilities for p in given) else None,
        level_sets=[said.level_set for said in given] if all(said.level_set for said in given) else None,
    )
