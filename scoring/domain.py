"""The words of the product as frozen values, and the rules that need nothing else.

`learner` is a person who wrote a response; `student` is the scoring model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import floor
from typing import Any

from scoring.errors import InvalidInput


class Role(StrEnum):
    """What a signed-in person may do; administrators may do all that educators may."""

    EDUCATOR = "educator"
    ADMINISTRATOR = "administrator"


class HumanScoreKind(StrEnum):
    """Why a human score was given; see `final_score` for which of them count."""

    OVERRIDE = "override"
    CONFIRM = "confirm"
    BLIND = "blind"
    SECOND = "second"
    GROUP = "group"
    ADJUDICATED = "adjudicated"
    RETRACT = "retract"


class UploadStatus(StrEnum):
    """Where an upload's scoring stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True)
class Level:
    """One score point of a criterion."""

    value: int
    descriptor: str
    label: str = ""


@dataclass(frozen=True)
class Criterion:
    """One rubric dimension. `levels` are consecutive score points in ascending order."""

    id: str
    name: str
    levels: tuple[Level, ...]
    description: str = ""

    def __post_init__(self) -> None:
        values = [level.value for level in self.levels]
        if len(values) < 2 or values != list(range(values[0], values[0] + len(values))):
            raise InvalidInput(
                f"criterion {self.id!r}: levels {values} must be two or more consecutive whole numbers, lowest first"
            )

    @property
    def values(self) -> tuple[int, ...]:
        """The score points, ascending."""
        return tuple(level.value for level in self.levels)

    @property
    def highest(self) -> int:
        """The most points this criterion can give."""
        return self.levels[-1].value


@dataclass(frozen=True)
class Task:
    """One assessment item as its author wrote it."""

    id: str
    title: str
    prompt: str
    criteria: tuple[Criterion, ...]
    subject: str = ""
    grade: str = ""
    standard: str = ""
    stimulus: str = ""
    stimulus_figure: str = ""
    stimulus_alt: str = ""
    rubric_text: str = ""
    reference_answers: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        ids = [criterion.id for criterion in self.criteria]
        if not ids or len(set(ids)) != len(ids):
            raise InvalidInput(f"task {self.id!r}: criteria {ids} must be present and have distinct ids")

    @property
    def highest(self) -> int:
        """The most points a response to this task can get."""
        return sum(criterion.highest for criterion in self.criteria)

    def criterion(self, criterion_id: str) -> Criterion:
        """The criterion with this id; raises `InvalidInput` when the task has none."""
        for criterion in self.criteria:
            if criterion.id == criterion_id:
                return criterion
        raise InvalidInput(f"task {self.id!r} has no criterion {criterion_id!r}")

    def scoring_shape(self) -> dict[str, list[int]]:
        """Criterion id -> score points: what a student must agree with to score this task."""
        return {criterion.id: list(criterion.values) for criterion in self.criteria}


@dataclass(frozen=True)
class CriterionScore:
    """A student's view of one response on one criterion.

    `probabilities` are over the criterion's levels in ascending order and sum to 1; `expected` is
    their mean score in points; `level` is `expected` rounded half up, after the version's calibration
    has given it the spread of people's scores. `level_set` is the range of
    levels around it that holds the human one with the version's stated coverage; empty where the
    version doesn't say.
    """

    criterion_id: str
    level: int
    expected: float
    probabilities: tuple[float, ...]
    level_set: tuple[int, ...] = ()

    def probability(self, criterion: Criterion) -> float:
        """The probability, 0 to 1, the student gives to its own level."""
        return self.probabilities[self.level - criterion.levels[0].value]


@dataclass(frozen=True)
class HumanScore:
    """One decision of a person on one response and criterion. Never changed, only added to."""

    id: int
    criterion_id: str
    kind: HumanScoreKind
    level: int | None
    rater_id: int
    created_at: datetime
    reason: str = ""
    retracts_id: int | None = None
    reason_kind: str = ""


@dataclass(frozen=True)
class FinalScore:
    """The level that stands. `reviewed` is false where only the machine has spoken."""

    level: int | None
    reviewed: bool
    source: str


HIDDEN = "hidden"
"""The source of a level that is not shown, because people are to score the response without the machine first."""

COUNTING_KINDS = frozenset(
    {
        HumanScoreKind.ADJUDICATED,
        HumanScoreKind.OVERRIDE,
        HumanScoreKind.CONFIRM,
        HumanScoreKind.GROUP,
        HumanScoreKind.BLIND,
    }
)


def final_score(machine_level: int | None, human_scores: Iterable[HumanScore], *, hidden: bool = False) -> FinalScore:
    """Decide which level stands for one response and criterion.

    The latest counting human score that was not retracted wins over the machine, whenever either
    was made. A second rating never counts before adjudication. With neither, the level is `None`;
    so it is while the machine's view is `hidden`, which the source then says.

    >>> final_score(2, [])
    FinalScore(level=2, reviewed=False, source='machine')
    >>> final_score(None, [])
    FinalScore(level=None, reviewed=False, source='none')
    >>> final_score(2, [], hidden=True)
    FinalScore(level=None, reviewed=False, source='hidden')
    """
    scores = list(human_scores)
    retracted = {score.retracts_id for score in scores if score.kind is HumanScoreKind.RETRACT}
    counting = [score for score in scores if score.kind in COUNTING_KINDS and score.id not in retracted]
    if counting:
        latest = max(counting, key=lambda score: score.id)
        return FinalScore(latest.level, True, latest.kind.value)
    if hidden:
        return FinalScore(None, False, HIDDEN)
    if machine_level is None:
        return FinalScore(None, False, "none")
    return FinalScore(machine_level, False, "machine")


def round_half_up(expected: float) -> int:
    """The level for an expected score: halves go up, so that 0.5 is 1 on every machine.

    >>> [round_half_up(x) for x in (0.49, 0.5, 1.5, 2.5)]
    [0, 1, 2, 3]
    """
    return floor(expected + 0.5)


def content_hash(value: object) -> str:
    """SHA-256 (hex) of a JSON-able value, the same on every machine."""
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def task_from_json(entry: Mapping[str, Any]) -> Task:
    """Read one entry of an item bank's `tasks.json`; unknown keys are kept in `extra`.

    Raises:
        InvalidInput: a required key is missing or a level is malformed; the message names it.
    """
    known = {
        "id", "title", "prompt", "criteria", "subject", "grade", "standard", "stimulus",
        "stimulus_figure", "stimulus_alt", "rubric_text", "reference_answers",
    }  # fmt: skip
    where = f"task {entry.get('id', '(without id)')!r}"
    missing = [key for key in ("id", "title", "prompt", "criteria") if not entry.get(key)]
    if missing:
        raise InvalidInput(f"{where}: {', '.join(missing)} missing; add to tasks.json")
    try:
        criteria = tuple(
            Criterion(
                id=str(c["id"]),
                name=str(c.get("name") or c["id"]),
                description=str(c.get("description", "")),
                levels=tuple(
                    Level(_whole(lv["value"]), str(lv.get("descriptor", "")), str(lv.get("label", "")))
                    for lv in c["levels"]
                ),
            )
            for c in entry["criteria"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"{where}: criteria are malformed ({error!r}); see the item bank format") from error
    text = {key: str(entry.get(key) or "") for key in known - {"criteria", "reference_answers"}}
    return Task(
        criteria=criteria,
        reference_answers=_strings(entry.get("reference_answers")),
        extra={key: value for key, value in entry.items() if key not in known},
        **text,
    )


def task_to_json(task: Task) -> dict[str, Any]:
    """The `tasks.json` entry for a task; `task_from_json` gives the task back."""
    entry: dict[str, Any] = {
        "id": task.id, "title": task.title, "subject": task.subject, "grade": task.grade,
        "standard": task.standard, "prompt": task.prompt, "stimulus": task.stimulus,
        "stimulus_figure": task.stimulus_figure, "stimulus_alt": task.stimulus_alt,
        "rubric_text": task.rubric_text, "reference_answers": list(task.reference_answers),
        "criteria": [
            {
                "id": c.id, "name": c.name, "description": c.description,
                "levels": [{"value": lv.value, "label": lv.label, "descriptor": lv.descriptor} for lv in c.levels],
            }
            for c in task.criteria
        ],
    }  # fmt: skip
    return {**task.extra, **entry}


def _whole(value: object) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError(f"level {value} is not a whole number")
    return int(value)  # type: ignore[call-overload,no-any-return]


def _strings(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence):
        return tuple(str(item) for item in value)
    raise InvalidInput(f"reference_answers: a list of texts is expected, not {type(value).__name__}")
