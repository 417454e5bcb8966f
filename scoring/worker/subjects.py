"""What an explanation is about."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.tables import Response, TaskRow, TaskVersion, Upload


@dataclass(frozen=True)
class Subject:
    """A response, and the version that scored it."""

    response_id: int
    task_version_id: int
    task_key: str
    text: str
    student_version_id: int


def subject_of(session: Session, response_id: int, student_version_id: int) -> Subject:
    """The response as the student reads it; it must be there."""
    text, task_version_id, task_key = session.execute(
        select(Response.text, TaskVersion.id, TaskRow.key)
        .join(Upload, Upload.id == Response.upload_id)
        .join(TaskVersion, TaskVersion.id == Upload.task_version_id)
        .join(TaskRow, TaskRow.id == TaskVersion.task_id)
        .where(Response.id == response_id)
    ).one()
    return Subject(response_id, task_version_id, task_key, text, student_version_id)
