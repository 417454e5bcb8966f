"""Reads and writes around explanations that are more than one row by its key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.queries import hidden, human_scores, machine_scores
from db.tables import (
    CriterionRow,
    Explanation,
    HumanScoreRow,
    MachineScore,
    Response,
    ResponseGates,
    StudentVersion,
    TaskVersion,
    Upload,
    utc_now,
)
from scoring.domain import UploadStatus, final_score

RECENT = timedelta(days=14)
RECENT_UPLOADS = 3
MOST_GATES = 20_000


def scoring_version(session: Session, response_id: int) -> StudentVersion | None:
    """The version that gave a response its newest machine score; `None` without any."""
    return session.scalar(
        select(StudentVersion)
        .join(MachineScore, MachineScore.student_version_id == StudentVersion.id)
        .where(MachineScore.response_id == response_id)
        .order_by(MachineScore.id.desc())
        .limit(1)
    )


def stored_explanation(
    session: Session, response_id: int, student_version_id: int, settings_hash: str
) -> Explanation | None:
    """The one explanation of a response by a version under some settings, whatever its state."""
    return session.scalar(
        select(Explanation).where(
            Explanation.response_id == response_id,
            Explanation.student_version_id == student_version_id,
            Explanation.settings_hash == settings_hash,
        )
    )


def insert_new(session: Session, response_id: int, student_version_id: int, settings_hash: str, **values: Any) -> bool:
    """Add an explanation's row unless there is one already; whether it was added. Safe against two at once."""
    dialect = session.get_bind().dialect.name
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(Explanation)
    key = {"response_id": response_id, "student_version_id": student_version_id, "settings_hash": settings_hash}
    row = {"error": "", "created_at": utc_now(), **key, **values}
    done = session.execute(insert.values(row).on_conflict_do_nothing(index_elements=list(key)))
    return bool(done.rowcount)  # type: ignore[attr-defined]


def human_levels(session: Session, response_ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """The levels that people gave and that stand, by response and criterion key; responses without any are left out."""
    levels: dict[int, dict[str, int]] = {}
    for (response_id, criterion_id), scores in human_scores(session, response_ids).items():
        level = final_score(None, scores).level
        if level is not None:
            levels.setdefault(response_id, {})[criterion_id] = level
    return levels


def next_to_prepare(session: Session, settings_hash: str, ahead: int) -> tuple[int, int] | None:
    """The response whose explanation somebody is likeliest to ask for next and that has none, and its version.

    Looks at the head of the review queue of the newest uploads: the `ahead` least certain answers that
    nobody has decided and that the machine's view may be shown of.
    """
    uploads = session.execute(
        select(Upload.id, Upload.student_version_id)
        .where(Upload.created_at > utc_now() - RECENT, Upload.status == UploadStatus.DONE)
        .order_by(Upload.created_at.desc())
        .limit(RECENT_UPLOADS)
    ).all()
    for upload_id, version_id in uploads:
        head = (
            select(Response.id, Response.uncertainty)
            .where(
                Response.upload_id == upload_id,
                Response.reviewed.is_(False),
                Response.blind.is_(False),
                Response.uncertainty.is_not(None),
                ~hidden(),
            )
            .order_by(Response.uncertainty.desc(), Response.id)
            .limit(ahead)
            .subquery()
        )
        there = select(Explanation.id).where(
            Explanation.response_id == head.c.id,
            Explanation.student_version_id == version_id,
            Explanation.settings_hash == settings_hash,
        )
        response_id = session.scalar(
            select(head.c.id).where(~there.exists()).order_by(head.c.uncertainty.desc(), head.c.id).limit(1)
        )
        if response_id is not None and version_id is not None:
            return response_id, version_id
    return None


def scored_ids(session: Session, upload_id: str, student_version_id: int) -> list[int]:
    """Responses of an upload that a version scored and that the machine's view may be shown of."""
    scored = select(MachineScore.id).where(
        MachineScore.response_id == Response.id, MachineScore.student_version_id == student_version_id
    )
    return list(
        session.scalars(
            select(Response.id).where(Response.upload_id == upload_id, scored.exists(), ~hidden()).order_by(Response.id)
        )
    )


def explained(
    session: Session, student_version_id: int, settings_hash: str, upload_id: str
) -> list[tuple[str, dict[str, Any]]]:
    """Text and stored content of the explanations of an upload that are whole and may be shown."""
    rows = session.execute(
        select(Response.text, Explanation.content)
        .join(Explanation, Explanation.response_id == Response.id)
        .where(*_whole(student_version_id, settings_hash, upload_id))
        .order_by(Response.id)
    )
    return [(text, content) for text, content in rows if content]


def explained_count(session: Session, student_version_id: int, settings_hash: str, upload_id: str) -> int:
    """How many these are."""
    query = select(func.count()).select_from(Response).join(Explanation, Explanation.response_id == Response.id)
    return session.scalar(query.where(*_whole(student_version_id, settings_hash, upload_id))) or 0


def _whole(student_version_id: int, settings_hash: str, upload_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        Response.upload_id == upload_id,
        Explanation.student_version_id == student_version_id,
        Explanation.settings_hash == settings_hash,
        Explanation.status == "done",
        ~hidden(),
    )


def gates_of_task(
    session: Session,
    task_id: int,
    student_version_id: int,
    since: datetime,
    criterion_key: str | None = None,
    level: int | None = None,
) -> list[tuple[datetime, list[list[float]]]]:
    """When a version routed which way, of the newest answers to a task; with a level, of those that it gave that."""
    query = (
        select(ResponseGates.created_at, ResponseGates.weights)
        .join(Response, Response.id == ResponseGates.response_id)
        .join(Upload, Upload.id == Response.upload_id)
        .join(TaskVersion, TaskVersion.id == Upload.task_version_id)
        .where(
            TaskVersion.task_id == task_id,
            ResponseGates.student_version_id == student_version_id,
            ResponseGates.created_at > since,
            ~hidden(),
        )
        .order_by(ResponseGates.created_at.desc())
        .limit(MOST_GATES)
    )
    if criterion_key is not None:
        given = (
            select(MachineScore.id)
            .join(CriterionRow, CriterionRow.id == MachineScore.criterion_id)
            .where(
                MachineScore.response_id == Response.id,
                MachineScore.student_version_id == student_version_id,
                CriterionRow.key == criterion_key,
                MachineScore.level == level,
            )
        )
        query = query.where(given.exists())
    return list(session.execute(query).all())


@dataclass(frozen=True)
class Disagreeing:
    """A response on which the level that stands is a person's and not the machine's."""

    response_id: int
    upload_id: str
    text: str
    human: int
    machine: int
    student_version_id: int
    content: dict[str, Any] | None  # of the explanation, where there is one


def disagreeing(
    session: Session, task_id: int, criterion_key: str, settings_hash: str, limit: int
) -> list[Disagreeing]:
    """Responses to a task that people decided otherwise on one criterion, the newest decision first."""
    decided = session.scalars(
        select(Response)
        .join(Upload, Upload.id == Response.upload_id)
        .join(TaskVersion, TaskVersion.id == Upload.task_version_id)
        .join(HumanScoreRow, HumanScoreRow.response_id == Response.id)
        .join(CriterionRow, CriterionRow.id == HumanScoreRow.criterion_id)
        .where(
            TaskVersion.task_id == task_id,
            CriterionRow.key == criterion_key,
            HumanScoreRow.level != HumanScoreRow.machine_level,
        )
        .group_by(Response.id)
        .order_by(func.max(HumanScoreRow.id).desc())
        .limit(limit)
    ).all()
    ids = [response.id for response in decided]
    machine, human = machine_scores(session, ids), human_levels(session, ids)
    found = []
    for response in decided:
        score, level = machine.get((response.id, criterion_key)), human.get(response.id, {}).get(criterion_key)
        version = scoring_version(session, response.id)
        # Taken back since, or scored anew and now the same: no disagreement that stands.
        if score is None or level is None or score.level == level or version is None:
            continue
        row = stored_explanation(session, response.id, version.id, settings_hash)
        content = row.content if row is not None and row.status == "done" else None
        found.append(
            Disagreeing(response.id, response.upload_id, response.text, level, score.level, version.id, content)
        )
    return found
