"""Tasks that people write themselves: made, changed as new versions, read from files, published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from db.adaptation_queries import examples_of_version
from db.engine import Database
from db.tables import LabelledExample, TaskRow, TaskVersion, utc_now
from scoring.domain import Role, Task
from scoring.errors import Conflict, NotAllowed, NotFound
from scoring.services.actors import Actor, require
from scoring.services.audit import record
from scoring.services.task_entries import read_entry, slug, unique
from scoring.services.task_files import example_file, task_entries
from scoring.services.tasks import TaskSummary, add_version, editable_task, newest_version, summary_of, task_hash


class Authoring:
    """Writing tasks. An educator's task is theirs until an administrator publishes it."""

    def __init__(self, database: Database, max_bytes: int) -> None:
        self._database = database
        self._max_bytes = max_bytes

    def mine(self, actor: Actor) -> list[TaskSummary]:
        """Tasks that the actor may change, by title: their own; for administrators every one, with its owner."""
        with self._database.read() as session:
            user = require(session, actor)
            query = select(TaskRow).where(TaskRow.retired_at.is_(None))
            if user.role != Role.ADMINISTRATOR:
                query = query.where(TaskRow.owner_id == user.id)
            summaries = [summary_of(session, row) for row in session.scalars(query)]
        return sorted(summaries, key=lambda s: (s.task.title.lower(), s.id))

    def get(self, actor: Actor, task_id: int) -> TaskSummary:
        """One task that the actor may change, in its newest version."""
        with self._database.read() as session:
            return summary_of(session, editable_task(session, require(session, actor), task_id))

    def create(self, actor: Actor, entry: Mapping[str, Any], token: str, *, published: bool = False) -> int:
        """Add a task.

        Args:
            actor: Who writes it; it is theirs.
            entry: As in an item bank's `tasks.json`. Ids of task and criteria are made where there are none;
                a task id that is taken gets a number.
            token: Made once per form, so that a double click makes one task.
            published: Serve everybody at once; administrators only.

        Returns:
            The task's id.

        Raises:
            InvalidInput: something is missing or contradictory.
            NotAllowed: an educator asks for a published task.
        """
        with self._database.write() as session:
            user = require(session, actor, Role.ADMINISTRATOR if published else Role.EDUCATOR)
            before = session.scalar(select(TaskRow).where(TaskRow.submit_token == token))
            if before is not None:
                if before.owner_id not in (None, user.id):
                    raise Conflict("This form was sent before. Reload the page, then send it again.")
                return before.id
            wanted = str(entry.get("id") or "").strip()
            wanted = slug(wanted or str(entry.get("title") or ""), "task")
            taken = session.scalars(
                select(TaskRow.key).where(or_(TaskRow.key == wanted, TaskRow.key.startswith(f"{wanted}-")))
            )
            task = read_entry(entry, task_id=unique(wanted, set(taken)))
            row = TaskRow(key=task.id, owner_id=None if published else user.id, submit_token=token)
            session.add(row)
            session.flush()
            version = add_version(session, row, 1, task, "", user.id)
            record(session, user.id, "task.create", "task", row.id, version=version.id, published=published)
            return row.id

    def revise(self, actor: Actor, task_id: int, version_number: int, entry: Mapping[str, Any]) -> int:
        """Change a task by a new version of it; responses stay with the version that they were given for.

        Labelled answers come along, with the levels that the new version still has.

        Args:
            actor: Its owner, or an administrator.
            task_id: The task.
            version_number: The version that the form was filled from.
            entry: What the task is to say.

        Returns:
            The number of the newest version: the same as before when nothing changed.

        Raises:
            Conflict: somebody changed it meanwhile.
            InvalidInput: something is missing or contradictory.
        """
        with self._database.write() as session:
            user = require(session, actor)
            row = editable_task(session, user, task_id)
            before = newest_version(session, row)
            if before.number != version_number:
                raise Conflict("This task was changed meanwhile. Reload it, then make your changes again.")
            task = read_entry(entry, task_id=row.key)
            # The figure is kept: forms show it, and have no way to change it.
            figure_name = before.content.get("stimulus_figure") or ""
            task = replace(task, stimulus_figure=figure_name)
            if task_hash(task, before.figure) == before.content_hash:
                return before.number
            version = add_version(session, row, before.number + 1, task, before.figure, user.id)
            kept = _carry_over(session, before, version, task)
            record(session, user.id, "task.revise", "task", row.id, version=version.id, examples=kept)
            return version.number

    def publish(self, actor: Actor, task_id: int) -> None:
        """Let a task serve everybody. Its author can use it as before; changing it is an administrator's act now."""
        with self._database.write() as session:
            user = require(session, actor, Role.ADMINISTRATOR)
            row = session.get(TaskRow, task_id)
            if row is None:
                raise NotFound("There is no such task.")
            if row.owner_id is None:
                return
            record(session, user.id, "task.publish", "task", row.id, owner=row.owner_id)
            row.owner_id = None

    def retire(self, actor: Actor, task_id: int, retired: bool = True) -> None:
        """Put a task of one's own away, or take it back; scored responses keep pointing at it."""
        with self._database.write() as session:
            user = require(session, actor)
            row = editable_task(session, user, task_id)
            if row.owner_id != user.id:
                raise NotAllowed("This task is somebody else's. Put it away under Tasks.")
            row.retired_at = utc_now() if retired else None
            record(session, user.id, "task.retire" if retired else "task.unretire", "task", task_id)

    def parse_tasks(self, actor: Actor, name: str, data: bytes) -> list[dict[str, Any]]:
        """The tasks of a file, as entries that `create` takes, to choose one from. Saves nothing.

        Args:
            actor: Who asks.
            name: The file's name, for messages.
            data: A `tasks.json`, a .zip of an item bank folder, or a CSV or XLSX with a row per level
                (`title, prompt, criterion, level, descriptor`, …).

        Raises:
            InvalidFile: it is none of these, or malformed; the message names the entry or row.
        """
        with self._database.read() as session:
            require(session, actor)
        return task_entries(name, data, self._max_bytes)

    def examples_of(self, actor: Actor, name: str, data: bytes, entry_id: str) -> tuple[str, bytes] | None:
        """The labelled answers to one of these tasks, as a file that `examples.read_file` takes: name and CSV bytes.

        `None` where the file has none.
        """
        with self._database.read() as session:
            require(session, actor)
        return example_file(name, data, entry_id, self._max_bytes)


def _carry_over(session: Session, before: TaskVersion, version: TaskVersion, task: Task) -> int:
    """Copy the labelled answers of a version to the next, with the levels that this one has."""
    shape = task.scoring_shape()

    def fitting(levels: Mapping[str, Any]) -> dict[str, int]:
        return {key: value for key, value in levels.items() if value in shape.get(key, ())}

    copies = []
    for example in examples_of_version(session, before.id):
        levels, second = fitting(example.levels), fitting(example.second)
        copies.append(
            LabelledExample(
                task_version_id=version.id,
                response_key=example.response_key,
                text=example.text,
                levels=levels,
                second=second if levels else {},
                fold=example.fold,
                source=example.source,
                added_by=example.added_by,
                added_at=example.added_at,
            )
        )
    session.add_all(copies)
    return len(copies)
