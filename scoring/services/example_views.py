"""What screens are told about the labelled answers of a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Row
from sqlalchemy.orm import Session

from db.adaptation_queries import example_columns
from db.tables import LabelledExample, TaskVersion
from scoring.domain import Task
from scoring.intake.levels import advice, count_levels, not_ready, thinnest, without_contradictions


@dataclass(frozen=True)
class SavedExamples:
    """What came of a file: answers added, answers whose words or levels changed, rows left out."""

    added: int
    changed: int
    left_out: int


@dataclass(frozen=True)
class Thinnest:
    """The level of a criterion with the fewest answers."""

    criterion_id: str
    value: int
    n: int


@dataclass(frozen=True)
class ExampleOverview:
    """How far a task is from being learned. `distribution` counts per criterion id and level what can be used."""

    labelled: int
    unlabelled: int
    twice: int  # with a second person's rating
    contradictory: tuple[str, ...]  # keys of answers with the same words and different levels
    distribution: Mapping[str, Mapping[int, int]]
    thinnest: tuple[Thinnest, ...]  # per criterion
    advice: tuple[str, ...]
    ready: bool
    why_not: str


@dataclass(frozen=True)
class ExampleText:
    """One answer of a task, labelled or waiting to be."""

    response_key: str
    text: str
    levels: Mapping[str, int]
    second: Mapping[str, int]
    source: str  # bank, file, screen


def overview_of(session: Session, version: TaskVersion, task: Task) -> ExampleOverview:
    """How far a task version is from being learned."""
    rows = [text_of(row) for row in session.execute(example_columns(version.id))]
    labelled = [row for row in rows if row.levels]
    usable = without_contradictions(labelled)
    counts = count_levels(task, [row.levels for row in usable])
    why_not = not_ready(task, counts)
    kept = {row.response_key for row in usable}
    contradictory = tuple(row.response_key for row in labelled if row.response_key not in kept)
    doubt = (
        f"{len(contradictory)} answers have the same words and different levels; they are left out until you "
        "decide on one level for each."
    )
    return ExampleOverview(
        labelled=len(labelled),
        unlabelled=len(rows) - len(labelled),
        twice=sum(bool(row.second) for row in labelled),
        contradictory=contradictory,
        distribution=counts,
        thinnest=tuple(Thinnest(c.id, *thinnest(c, counts[c.id])) for c in task.criteria),
        advice=(*((doubt,) if contradictory else ()), *advice(task, counts, len(usable))),
        ready=not why_not,
        why_not=why_not,
    )


def text_of(row: LabelledExample | Row[tuple[str, str, dict[str, int], dict[str, int], str]]) -> ExampleText:
    """A stored answer, from its row or from `example_columns`."""
    return ExampleText(row.response_key, row.text, dict(row.levels), dict(row.second), row.source)
