"""Reads around tasks that are learned from examples, runs, and what a new version would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, cast, func, or_, select
from sqlalchemy.orm import Session

from db.queries import hidden
from db.tables import (
    CriterionRow,
    LabelledExample,
    PreviewChange,
    Response,
    ResponseFlag,
    Section,
    TaskRow,
    TaskVersion,
    Upload,
)


def labelled() -> ColumnElement[bool]:
    """The condition on `LabelledExample` that it has a level; the others wait in the pool."""
    # An empty object is written the same by every database.
    return cast(LabelledExample.levels, Text) != "{}"


def labelled_count(session: Session, task_version_id: int) -> int:
    """How many answers of a task version have a level."""
    query = select(func.count()).where(LabelledExample.task_version_id == task_version_id, labelled())
    return session.scalar(query) or 0


def examples_of_version(session: Session, task_version_id: int) -> list[LabelledExample]:
    """All answers that a task version is learned from, the pool included, in the order they came."""
    rows = session.scalars(
        select(LabelledExample).where(LabelledExample.task_version_id == task_version_id).order_by(LabelledExample.id)
    )
    return list(rows)


def example_columns(task_version_id: int) -> Select[tuple[str, str, dict[str, int], dict[str, int], str]]:
    """What screens show of a task version's answers, in the order they came; much faster than whole rows."""
    row = LabelledExample
    return (
        select(row.response_key, row.text, row.levels, row.second, row.source)
        .where(row.task_version_id == task_version_id)
        .order_by(row.id)
    )


def level_counts(levels: Iterable[dict[str, Any]]) -> Counter[tuple[str, int]]:
    """How often each (criterion key, level) stands in these."""
    counts: Counter[tuple[str, int]] = Counter()
    for given in levels:
        counts.update(given.items())
    return counts


def texts_of_others(session: Session, version: TaskVersion, user_id: int) -> list[tuple[str, str]]:
    """(title, text) of labelled answers to other tasks that the user may see, published or their own.

    Tasks that ask the same question are left out: another rubric may well score the same answers.
    """
    newest = (
        select(TaskVersion.task_id, func.max(TaskVersion.number).label("number"))
        .group_by(TaskVersion.task_id)
        .subquery()
    )
    versions = session.scalars(
        select(TaskVersion)
        .join(newest, (newest.c.task_id == TaskVersion.task_id) & (newest.c.number == TaskVersion.number))
        .join(TaskRow, TaskRow.id == TaskVersion.task_id)
        .where(TaskRow.id != version.task_id, or_(TaskRow.owner_id.is_(None), TaskRow.owner_id == user_id))
    )
    asked = version.content.get("prompt")
    titles = {other.id: other.title for other in versions if other.content.get("prompt") != asked}
    rows = session.execute(
        select(LabelledExample.task_version_id, LabelledExample.text).where(
            LabelledExample.task_version_id.in_(list(titles))
        )
    )
    return [(titles[version_id], text) for version_id, text in rows]


def answers_after(session: Session, cursor: int, limit: int) -> list[tuple[int, str, int, str]]:
    """The next answers of the whole house that a model may score: id, text, task version id, task key."""
    rows = session.execute(
        select(Response.id, Response.text, TaskVersion.id, TaskRow.key)
        .join(Upload, Upload.id == Response.upload_id)
        .join(TaskVersion, TaskVersion.id == Upload.task_version_id)
        .join(TaskRow, TaskRow.id == TaskVersion.task_id)
        .where(Response.id > cursor, ~_blank())
        .order_by(Response.id)
        .limit(limit)
    )
    return [(i, text, version, key) for i, text, version, key in rows]


def answer_count(session: Session, after: int = 0) -> int:
    """How many answers `answers_after` would give from there on."""
    return session.scalar(select(func.count()).select_from(Response).where(Response.id > after, ~_blank())) or 0


def changes(
    session: Session, preview_id: str, section_ids: Sequence[int] | None, *, limit: int, offset: int
) -> tuple[list[Any], int]:
    """A page of a preview's changes with what a list shows of each, and how many there are.

    Answers of which the machine's view is hidden now are left out.

    Args:
        session: A session for reading.
        preview_id: The preview.
        section_ids: Only answers of these sections; `None`: of all.
        limit: At most so many.
        offset: After so many.
    """
    query = (
        select(
            PreviewChange.response_id,
            CriterionRow.key.label("criterion_id"),
            CriterionRow.name.label("criterion"),
            PreviewChange.before,
            PreviewChange.after,
            Response.reviewed,
            Response.row_number,
            Response.text,
            Upload.id.label("upload_id"),
            Upload.file_name,
            Section.name.label("section"),
        )
        .join(CriterionRow, CriterionRow.id == PreviewChange.criterion_id)
        .join(Response, Response.id == PreviewChange.response_id)
        .join(Upload, Upload.id == Response.upload_id)
        .join(Section, Section.id == Upload.section_id)
        .where(PreviewChange.preview_id == preview_id, ~hidden())
    )
    if section_ids is not None:
        query = query.where(Upload.section_id.in_(section_ids))
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = session.execute(
        query.order_by(PreviewChange.response_id, CriterionRow.position).limit(limit).offset(offset)
    ).all()
    return list(rows), total


def _blank() -> ColumnElement[bool]:
    flag = select(ResponseFlag.id).where(ResponseFlag.response_id == Response.id, ResponseFlag.kind == "blank")
    return flag.exists()
