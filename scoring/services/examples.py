"""Labelled answers of a task: read from a file, checked row by row, saved once, labelled in place."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from db.adaptation_queries import example_columns, examples_of_version, texts_of_others
from db.adaptation_queries import labelled as with_levels
from db.engine import Database
from db.tables import ExampleFile, LabelledExample, TaskRow, TaskVersion, User, utc_now
from scoring.domain import Task
from scoring.errors import Conflict, InvalidFile, InvalidInput, NotFound
from scoring.intake.checking import RowProblem
from scoring.intake.labelled import (
    CheckedExample,
    CheckedExamples,
    ExampleColumns,
    KnownExample,
    check_examples,
    suggest_columns,
)
from scoring.intake.reading import ClassFile, read_class_file
from scoring.services.actors import Actor, require
from scoring.services.audit import record
from scoring.services.example_views import (
    ExampleOverview,
    ExampleText,
    SavedExamples,
    Thinnest,
    overview_of,
    text_of,
)
from scoring.services.tasks import editable_task, newest_version, task_of

# What pages need of reading a file, so that they know the services only.
__all__ = [
    "CheckedExample", "CheckedExamples", "ClassFile", "ExampleColumns", "ExampleOverview", "ExampleText", "Examples",
    "RowProblem", "SavedExamples", "Thinnest",
]  # fmt: skip

FROM_FILE, ON_SCREEN = "file", "screen"


class Examples:
    """What a task is learned from. The task's owner and administrators only."""

    def __init__(self, database: Database, max_bytes: int) -> None:
        self._database = database
        self._max_bytes = max_bytes

    # Before anything is saved ---------------------------------------------------------------------

    def read_file(self, actor: Actor, task_id: int, name: str, data: bytes, sheet: str | None = None) -> ClassFile:
        """Read a labelled file. Raises `InvalidFile` with what was found and the remedy."""
        with self._database.read() as session:
            editable_task(session, require(session, actor), task_id)
        return read_class_file(name, data, sheet=sheet, limit_bytes=self._max_bytes)

    def suggest(self, actor: Actor, task_id: int, file: ClassFile) -> ExampleColumns | None:
        """Which columns hold the text and the levels, by the header; `None` when none holds prose."""
        with self._database.read() as session:
            _, task = _current(session, require(session, actor), task_id)
        return suggest_columns(file, task)

    def check(self, actor: Actor, task_id: int, file: ClassFile, columns: ExampleColumns) -> CheckedExamples:
        """Check every row against the task, the answers it has, and other tasks; saves nothing.

        Raises:
            InvalidInput: the columns don't fit the file or the task.
        """
        return self._checked(actor, task_id, file, columns)[1]

    # Saving ---------------------------------------------------------------------------------------

    def save(
        self,
        actor: Actor,
        task_id: int,
        file_name: str,
        data: bytes,
        columns: ExampleColumns,
        token: str,
        *,
        sheet: str | None = None,
        replace: bool = False,
    ) -> SavedExamples:
        """Take the good rows of a file, all or nothing. An answer with a known id gets the file's words and levels.

        Args:
            actor: The task's owner, or an administrator.
            task_id: The task; its newest version gets the answers.
            file_name: For the record.
            data: The file's bytes.
            columns: Which columns hold what.
            token: Made once per form; the same token again changes nothing more.
            sheet: The sheet of a workbook.
            replace: Remove every answer that the task has first.

        Raises:
            InvalidFile: it can't be read, is another task's, or has no good row.
            Conflict: the task was changed meanwhile, or the token came with another file before.
            StorageFull: the disk is full; nothing was saved.
        """
        with self._database.read() as session:
            editable_task(session, require(session, actor), task_id)
            before = _by_token(session, token, actor.user_id, data)
        if before is not None:
            return before
        file = self.read_file(actor, task_id, file_name, data, sheet)
        version_id, checked = self._checked(actor, task_id, file, columns, alone=replace)
        if checked.refusal:
            raise InvalidFile(checked.refusal)
        if not checked.good:
            first = checked.errors[0] if checked.errors else None
            why = f" Row {first.number}, {first.field}: {first.message}." if first else ""
            raise InvalidFile(f"No row of this file can be taken, so nothing was saved.{why}")
        with self._database.write() as session:
            user = require(session, actor)
            row = editable_task(session, user, task_id)
            before = _by_token(session, token, actor.user_id, data)
            if before is not None:
                return before
            version = newest_version(session, row)
            if version.id != version_id:
                raise Conflict("This task was changed meanwhile. Check the file once more; nothing was saved.")
            if replace:
                session.execute(delete(LabelledExample).where(LabelledExample.task_version_id == version.id))
            added, changed = _merge(session, version, checked.good, user.id)
            saved = SavedExamples(added, changed, checked.left_out)
            session.add(
                ExampleFile(
                    task_version_id=version.id,
                    submit_token=token,
                    file_name=file_name[:300],
                    file_sha256=file.sha256,
                    added=added,
                    changed=changed,
                    left_out=checked.left_out,
                    added_by=user.id,
                )
            )
            record(
                session, user.id, "examples.save", "task", row.id, version=version.id,
                added=added, changed=changed, left_out=checked.left_out, replaced=replace,
            )  # fmt: skip
        return saved

    def label(
        self, actor: Actor, task_id: int, response_key: str, levels: Mapping[str, int], second: bool = False
    ) -> None:
        """Give an answer its levels, in place of those it had; none sends it back to the pool.

        Args:
            actor: The task's owner, or an administrator.
            task_id: The task.
            response_key: The answer, as `pool` and `page` name it.
            levels: Criterion id -> level.
            second: A second person's rating, to compare people with each other.

        Raises:
            InvalidInput: the task has no such criterion or level.
        """
        with self._database.write() as session:
            user = require(session, actor)
            version, task = _current(session, user, task_id)
            for criterion_id, value in levels.items():
                criterion = task.criterion(criterion_id)
                if value not in criterion.values:
                    allowed = ", ".join(map(str, criterion.values))
                    raise InvalidInput(f"“{criterion.name}” has no level {value}; choose one of {allowed}.")
            example = _example(session, version, response_key)
            if second:
                if not example.levels:
                    raise InvalidInput("This answer has no first rating yet. Give it that one first.")
                example.second = dict(levels)
            else:
                example.levels = dict(levels)
                example.second = example.second if levels else {}
            example.added_by, example.added_at, example.source = user.id, utc_now(), ON_SCREEN
            record(session, user.id, "examples.label", "task", task_id, example=example.id, second=second)

    def remove(self, actor: Actor, task_id: int, response_key: str) -> None:
        """Take an answer out of what the task is learned from, in every version that has it, so that no copy stays."""
        with self._database.write() as session:
            user = require(session, actor)
            version, _ = _current(session, user, task_id)
            example = _example(session, version, response_key)
            record(session, user.id, "examples.remove", "task", task_id, example=example.id)
            versions = select(TaskVersion.id).where(TaskVersion.task_id == version.task_id)
            session.execute(
                delete(LabelledExample).where(
                    LabelledExample.task_version_id.in_(versions),
                    LabelledExample.response_key == example.response_key,
                    LabelledExample.text == example.text,
                )
            )

    # Reading --------------------------------------------------------------------------------------

    def overview(self, actor: Actor, task_id: int) -> ExampleOverview:
        """How many answers there are, which level is thinnest, and whether the task can be learned."""
        with self._database.read() as session:
            version, task = _current(session, require(session, actor), task_id)
            return overview_of(session, version, task)

    def pool(self, actor: Actor, task_id: int, response_keys: Sequence[str]) -> list[ExampleText]:
        """These answers, in this order, to label them in place; those that are gone are left out."""
        with self._database.read() as session:
            version, _ = _current(session, require(session, actor), task_id)
            rows = session.scalars(
                select(LabelledExample).where(
                    LabelledExample.task_version_id == version.id,
                    LabelledExample.response_key.in_(list(response_keys)),
                )
            )
            found = {row.response_key: text_of(row) for row in rows}
        return [found[key] for key in response_keys if key in found]

    def page(
        self, actor: Actor, task_id: int, *, labelled: bool | None = None, limit: int = 50, offset: int = 0
    ) -> tuple[list[ExampleText], int]:
        """A page of the task's answers in the order they came, and how many there are."""
        with self._database.read() as session:
            version, _ = _current(session, require(session, actor), task_id)
            query = example_columns(version.id)
            if labelled is not None:
                query = query.where(with_levels() if labelled else ~with_levels())
            total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
            return [text_of(row) for row in session.execute(query.limit(limit).offset(offset))], total

    def _checked(
        self, actor: Actor, task_id: int, file: ClassFile, columns: ExampleColumns, *, alone: bool = False
    ) -> tuple[int, CheckedExamples]:
        """The task version's id, and what its check says; `alone`: against the file itself only."""
        with self._database.read() as session:
            user = require(session, actor)
            version, task = _current(session, user, task_id)
            known = [] if alone else examples_of_version(session, version.id)
            others = texts_of_others(session, version, user.id)
            keys = session.scalars(select(TaskRow.key).where(TaskRow.id != task_id)).all()
            had = [KnownExample(row.response_key, row.text, dict(row.levels)) for row in known]
        return version.id, check_examples(file, columns, task, known=had, other_texts=others, other_keys=keys)


def _current(session: Session, user: User, task_id: int) -> tuple[TaskVersion, Task]:
    version = newest_version(session, editable_task(session, user, task_id))
    return version, task_of(version)


def _example(session: Session, version: TaskVersion, response_key: str) -> LabelledExample:
    row = session.scalar(
        select(LabelledExample).where(
            LabelledExample.task_version_id == version.id, LabelledExample.response_key == response_key
        )
    )
    if row is None:
        raise NotFound("This answer is not there any more. Reload the page.")
    return row


def _by_token(session: Session, token: str, user_id: int, data: bytes) -> SavedExamples | None:
    before = session.scalar(select(ExampleFile).where(ExampleFile.submit_token == token))
    if before is None:
        return None
    if (before.added_by, before.file_sha256) != (user_id, hashlib.sha256(data).hexdigest()):
        raise Conflict("This form was sent before, with another file. Reload the page, then send it again.")
    return SavedExamples(before.added, before.changed, before.left_out)


def _merge(session: Session, version: TaskVersion, good: Sequence[CheckedExample], user_id: int) -> tuple[int, int]:
    """Add answers, and change those that are there under the same id; how many of each."""
    there = {row.response_key: row for row in examples_of_version(session, version.id)}
    added, changed, now = [], 0, utc_now()
    for example in good:
        row = there.get(example.response_key)
        levels, second = dict(example.levels), dict(example.second)
        if row is None:
            added.append(
                {
                    "task_version_id": version.id, "response_key": example.response_key, "text": example.text,
                    "levels": levels, "second": second, "fold": "", "source": FROM_FILE, "added_by": user_id,
                    "added_at": now,
                }
            )  # fmt: skip
        elif not levels and row.levels and row.text == example.text:
            continue  # a file of texts alone takes no level away
        elif (row.text, row.levels, row.second) != (example.text, levels, second):
            row.text, row.levels, row.second = example.text, levels, second
            row.source, row.added_by, row.added_at = FROM_FILE, user_id, now
            changed += 1
    if added:
        session.execute(LabelledExample.__table__.insert(), added)  # type: ignore[attr-defined]
    return len(added), changed
