"""The item bank as people see it, and loading a folder into it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, selectinload

from db.adaptation_queries import labelled_count
from db.engine import Database
from db.queries import RESPONSE_COLUMNS
from db.tables import (
    CriterionRow,
    LabelledExample,
    LevelRow,
    TaskRow,
    TaskVersion,
    User,
    utc_now,
)
from scoring.domain import Criterion, Role, Task, content_hash, task_from_json, task_to_json
from scoring.errors import Conflict, InvalidFile, NotAllowed, NotFound
from scoring.itembank import ItemBank, read_item_bank
from scoring.services.actors import Actor, require
from scoring.services.audit import record
from scoring.services.versions import active_version

TABLE_COLUMNS = frozenset({*RESPONSE_COLUMNS, "flags", "total", "reviewed"})
"""No criterion may be called like one of these."""


@dataclass(frozen=True)
class TaskSummary:
    """A task in its newest version, with what lists show."""

    id: int
    version_id: int
    version_number: int
    task: Task
    figure: str  # SVG source of the stimulus figure, or empty
    scorable: bool  # the active student scores this version
    examples: int  # labelled answers; those that wait to be labelled don't count
    retired: bool
    owner_id: int | None = None  # the educator whose task it is; None once it is published to everyone
    owner: str = ""  # their name


@dataclass(frozen=True)
class ExampleLevels:
    """How many labelled answers a criterion has at each level."""

    criterion: Criterion
    counts: tuple[int, ...]  # per level, ascending


class Tasks:
    """Tasks that an actor may use: published ones and their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def available(self, actor: Actor, *, retired: bool = False) -> list[TaskSummary]:
        """Tasks by title; retired ones only on demand."""
        with self._database.read() as session:
            user = require(session, actor)
            query = select(TaskRow).where(or_(TaskRow.owner_id.is_(None), TaskRow.owner_id == user.id))
            if not retired:
                query = query.where(TaskRow.retired_at.is_(None))
            summaries = [summary_of(session, row) for row in session.scalars(query)]
        return sorted(summaries, key=lambda s: (s.retired, s.task.title.lower(), s.id))

    def get(self, actor: Actor, task_id: int) -> TaskSummary:
        """One task in its newest version."""
        with self._database.read() as session:
            return summary_of(session, visible_task(session, require(session, actor), task_id))

    def examples(self, actor: Actor, task_id: int) -> list[ExampleLevels]:
        """The level distribution of the labelled answers that came with a task."""
        with self._database.read() as session:
            row = visible_task(session, require(session, actor), task_id)
            version = newest_version(session, row)
            counts: Counter[tuple[str, int]] = Counter()
            for levels in session.scalars(
                select(LabelledExample.levels).where(LabelledExample.task_version_id == version.id)
            ):
                counts.update(levels.items())
            task = task_of(version)
        return [
            ExampleLevels(criterion, tuple(counts[criterion.id, value] for value in criterion.values))
            for criterion in task.criteria
        ]

    def set_retired(self, actor: Actor, task_id: int, retired: bool) -> None:
        """Take a task out of use, or back; scored responses keep pointing at it."""
        with self._database.write() as session:
            user = require(session, actor, Role.ADMINISTRATOR)
            visible_task(session, user, task_id).retired_at = utc_now() if retired else None
            record(session, user.id, "task.retire" if retired else "task.unretire", "task", task_id)


def load_item_bank(database: Database, folder: Path, actor_id: int | None = None) -> tuple[int, int]:
    """Publish an item bank folder's tasks with their labelled answers. Running it again changes nothing.

    A task whose text changed gets a new version; responses stay with the version that scored them.

    Returns:
        How many task versions and labelled answers were added.

    Raises:
        InvalidFile: the folder is malformed; nothing of it was kept.
    """
    bank = read_item_bank(folder)
    for task in bank.tasks.values():
        for criterion in task.criteria:
            if criterion.id in TABLE_COLUMNS:
                raise InvalidFile(
                    f"task {task.id!r}: criterion id {criterion.id!r} names a column of the score table; choose another"
                )
    versions = examples = 0
    with database.write() as session:
        for task in bank.tasks.values():
            figure = _figure(folder, task)
            added = _publish(session, task, figure, bank, actor_id)
            if added is not None:
                versions, examples = versions + 1, examples + added
        if versions:
            record(
                session,
                actor_id,
                "itembank.load",
                "itembank",
                folder.name,
                versions=versions,
                examples=examples,
            )
    return versions, examples


def visible_task(session: Session, user: User, task_id: int) -> TaskRow:
    """A task that the user may use. Raises `NotFound` for others."""
    row = session.get(TaskRow, task_id)
    if row is None or row.owner_id not in (None, user.id):
        raise NotFound("There is no such task.")
    return row


def editable_task(session: Session, user: User, task_id: int) -> TaskRow:
    """A task that the user may change and teach to the model: their own, or any for an administrator.

    Raises:
        NotFound: there is none, or it is somebody else's own; the two look alike on purpose.
        NotAllowed: it is published to everyone, so that changing it is an administrator's act.
    """
    row = session.get(TaskRow, task_id)
    if row is None or (user.role != Role.ADMINISTRATOR and row.owner_id not in (None, user.id)):
        raise NotFound("There is no such task.")
    if user.role != Role.ADMINISTRATOR and row.owner_id is None:
        raise NotAllowed("This task is published to everyone, so only an administrator may change it.")
    return row


def newest_version(session: Session, row: TaskRow) -> TaskVersion:
    """The version of a task that new uploads use."""
    version = session.scalar(
        select(TaskVersion)
        .where(TaskVersion.task_id == row.id)
        .order_by(TaskVersion.number.desc())
        .limit(1)
        .options(selectinload(TaskVersion.criteria).selectinload(CriterionRow.levels))
    )
    assert version is not None, f"task {row.id} has no version"
    return version


def task_of(version: TaskVersion) -> Task:
    """The domain value of a stored version."""
    criteria = [
        {
            "id": c.key,
            "name": c.name,
            "description": c.description,
            "levels": [{"value": v.value, "label": v.label, "descriptor": v.descriptor} for v in c.levels],
        }
        for c in version.criteria
    ]
    return task_from_json({**version.content, "criteria": criteria})


def require_current(session: Session, user: User, task_version_id: int) -> TaskVersion:
    """The version an educator chose, if it is still the one to use.

    Raises:
        Conflict: the task was changed or retired meanwhile.
    """
    version = session.get(TaskVersion, task_version_id)
    if version is None:
        raise NotFound("There is no such task.")
    row = visible_task(session, user, version.task_id)
    if row.retired_at is not None:
        raise Conflict(f"“{version.title}” was retired meanwhile. Choose another task; nothing was saved.")
    newest = newest_version(session, row)
    if newest.id != version.id:
        raise Conflict(
            f"“{version.title}” was changed meanwhile. Choose it again to use the new version; nothing was saved."
        )
    return newest


def add_version(
    session: Session, row: TaskRow, number: int, task: Task, figure: str, actor_id: int | None
) -> TaskVersion:
    """Write what a task says as one more version of it."""
    entry = task_to_json(task)
    version = TaskVersion(
        task_id=row.id,
        number=number,
        title=task.title,
        content={key: value for key, value in entry.items() if key != "criteria"},
        figure=figure,
        content_hash=task_hash(task, figure),
        created_by=actor_id,
        criteria=[
            CriterionRow(
                position=position,
                key=criterion.id,
                name=criterion.name,
                description=criterion.description,
                levels=[LevelRow(value=v.value, label=v.label, descriptor=v.descriptor) for v in criterion.levels],
            )
            for position, criterion in enumerate(task.criteria)
        ],
    )
    session.add(version)
    session.flush()
    return version


def task_hash(task: Task, figure: str) -> str:
    """Says whether two versions of a task say the same."""
    return content_hash([task_to_json(task), figure])


def summary_of(session: Session, row: TaskRow) -> TaskSummary:
    """A task as lists show it."""
    version = newest_version(session, row)
    task = task_of(version)
    student = active_version(session)
    owner = session.get(User, row.owner_id) if row.owner_id is not None else None
    return TaskSummary(
        id=row.id,
        version_id=version.id,
        version_number=version.number,
        task=task,
        figure=version.figure,
        scorable=student is not None and student.shapes.get(task.id) == task.scoring_shape(),
        examples=labelled_count(session, version.id),
        retired=row.retired_at is not None,
        owner_id=row.owner_id,
        owner=owner.name if owner is not None else "",
    )


def _figure(folder: Path, task: Task) -> str:
    if not task.stimulus_figure:
        return ""
    path = (folder / "figures" / task.stimulus_figure.removeprefix("figures/")).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.exists():
        raise InvalidFile(f"task {task.id!r}: stimulus_figure {task.stimulus_figure!r} is not in {folder}/figures")
    return path.read_text(encoding="utf-8")


def _publish(session: Session, task: Task, figure: str, bank: ItemBank, actor_id: int | None) -> int | None:
    row = session.scalar(select(TaskRow).where(TaskRow.key == task.id))
    number = 1
    if row is None:
        row = TaskRow(key=task.id)
        session.add(row)
        session.flush()
    else:
        newest = newest_version(session, row)
        # A task that people have changed in the meantime is theirs; the folder's text does not overwrite it.
        if newest.created_by is not None or newest.content_hash == task_hash(task, figure):
            return None
        number = newest.number + 1
    version = add_version(session, row, number, task, figure, actor_id)
    answers = bank.of_task(task.id)
    session.add_all(
        LabelledExample(
            task_version_id=version.id,
            response_key=answer.response_id,
            text=answer.text,
            levels=answer.levels,
            second=answer.second,
            fold=answer.fold,
        )
        for answer in answers
    )
    return len(answers)
