"""Reads and writes around explanations that are more than one row by its key."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.queries import hidden
from db.tables import Explanation, MachineScore, Response, StudentVersion, Upload, utc_now
from scoring.domain import UploadStatus

RECENT = timedelta(days=14)
RECENT_UPLOADS = 3


def scoring_version(session: Session, response_id: int) -> StudentVersion | None:
    """The version that gave a response its newest machine score; `None` without any."""
    return session.scalar(
        select(StudentVersion)
        .join(MachineScore, MachineScore.student_version_id == StudentVersion.id)
        .where(MachineScore.response_id == response_id)
        .order_by(MachineScore.created_at.desc(), MachineScore.id.desc())
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
    done = session.execute(
        insert.values(**key, error="", created_at=utc_now(), **values).on_conflict_do_nothing(index_elements=list(key))
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


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
