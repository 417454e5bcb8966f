"""What the model's experts are used for, over whole tasks, for administrators."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.engine import Database
from db.explanation_queries import gates_of_task
from db.tables import ExpertProfile, TaskRow, utc_now
from scoring.domain import Role
from scoring.services.actors import Actor, require
from scoring.services.explanation_context import Expert, Layers, read_experts
from scoring.services.tasks import newest_version, task_of, visible_task
from scoring.services.versions import active_version

DAYS = 90


@dataclass(frozen=True)
class LevelUse:
    """Mean gate weights of the labelled answers that people gave one level."""

    criterion: str  # its name
    level: int
    answers: int
    weights: Layers


@dataclass(frozen=True)
class TaskUse:
    """How the experts share the labelled answers of one task."""

    title: str
    answers: int
    weights: Layers
    entropy: tuple[float, ...]  # per layer, 0 one expert alone to 1 all alike
    levels: tuple[LevelUse, ...]


@dataclass(frozen=True)
class ExpertReport:
    """What the experts of the active version are used for. Layers and experts count from 0."""

    tasks: Mapping[str, TaskUse]  # by task key
    unused: tuple[tuple[int, int], ...]  # (layer, expert) that no task makes use of
    collapsed: tuple[int, ...]  # layers in which one expert does nearly everything
    experts: tuple[tuple[Expert, ...], ...]


@dataclass(frozen=True)
class DayUse:
    """Mean gate weights of the answers scored on one day."""

    day: date
    answers: int
    weights: Layers


class ExpertUse:
    """How the experts share the work; administrators only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def report(self, actor: Actor) -> ExpertReport | None:
        """What the experts of the active version are used for; `None` until the worker has found out."""
        with self._database.read() as session:
            require(session, actor, Role.ADMINISTRATOR)
            version = active_version(session)
            profile = session.get(ExpertProfile, version.id) if version is not None else None
            if profile is None:
                return None
            found = profile.content
            return ExpertReport(
                tasks={key: _task_use(session, key, entry) for key, entry in found["tasks"].items()},
                unused=tuple((layer, expert) for layer, expert in found["unused"]),
                collapsed=tuple(found["collapsed"]),
                experts=read_experts(session, found),
            )

    def over_time(
        self, actor: Actor, task_id: int, criterion_id: str | None = None, level: int | None = None
    ) -> list[DayUse]:
        """How the experts shared the answers of each of the last 90 days, oldest first.

        Args:
            actor: An administrator.
            task_id: Of which task's answers.
            criterion_id: With `level`: only answers that the machine gave that level.
            level: A score point of the criterion.
        """
        with self._database.read() as session:
            visible_task(session, require(session, actor, Role.ADMINISTRATOR), task_id)
            version = active_version(session)
            if version is None:
                return []
            since = utc_now() - timedelta(days=DAYS)
            days: dict[date, list[Sequence[Sequence[float]]]] = defaultdict(list)
            for at, weights in gates_of_task(session, task_id, version.id, since, criterion_id, level):
                if weights:
                    days[at.date()].append(weights)
        return [DayUse(day, len(rows), _mean(rows)) for day, rows in sorted(days.items())]


def _task_use(session: Session, key: str, entry: Mapping[str, Any]) -> TaskUse:
    row = session.scalar(select(TaskRow).where(TaskRow.key == key))
    task = task_of(newest_version(session, row)) if row is not None else None
    criteria = task.criteria if task is not None else ()
    return TaskUse(
        title=task.title if task is not None else key,
        answers=entry["answers"],
        weights=_layers(entry["weights"]),
        entropy=tuple(entry["entropy"]),
        levels=tuple(
            LevelUse(criterion.name, of["level"], of["answers"], _layers(of["weights"]))
            for criterion in criteria
            for of in entry["levels"]
            if of["criterion_id"] == criterion.id
        ),
    )


def _layers(values: Iterable[Iterable[float]]) -> Layers:
    return tuple(tuple(row) for row in values)


def _mean(rows: Sequence[Sequence[Sequence[float]]]) -> Layers:
    """(N, layers, E) -> (layers, E)."""
    return tuple(tuple(sum(of) / len(rows) for of in zip(*layer, strict=True)) for layer in zip(*rows, strict=True))
