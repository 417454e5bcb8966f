"""Who may promote which version, and back to which one."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.tables import Preview, StudentVersion, TaskVersion, User
from scoring.domain import Role
from scoring.errors import Conflict, NotAllowed, NotFound
from scoring.services.tasks import editable_task
from scoring.services.versions import active_version


def require_version(session: Session, user: User, version_id: int) -> StudentVersion:
    """A version that the user may promote: one that adds a task of theirs, or any for an administrator."""
    version = session.get(StudentVersion, version_id)
    if version is None:
        raise NotFound("There is no such version among yours.")
    if user.role == Role.ADMINISTRATOR:
        return version
    if version.task_version_id is None:
        raise NotFound("There is no such version among yours.")
    try:
        editable_task(session, user, session.get_one(TaskVersion, version.task_version_id).task_id)
    except (NotFound, NotAllowed):
        raise NotFound("There is no such version among yours.") from None
    return version


def require_adding(session: Session, user: User, version_id: int) -> tuple[StudentVersion, TaskVersion]:
    """Such a version, if it adds a task, with that task's version. Raises `Conflict` for one that adds none."""
    version = require_version(session, user, version_id)
    if version.task_version_id is None:
        raise Conflict("This version adds no task of its own.")
    return version, session.get_one(TaskVersion, version.task_version_id)


def require_preview(session: Session, user: User, preview_id: str) -> Preview:
    """A preview of such a version."""
    row = session.get(Preview, preview_id)
    if row is None:
        raise NotFound("There is no such preview among yours.")
    try:
        require_version(session, user, row.candidate_version_id)
    except NotFound:
        raise NotFound("There is no such preview among yours.") from None
    return row


def newest_preview(session: Session, version_id: int) -> Preview | None:
    """The newest preview of a version."""
    return session.scalar(
        select(Preview)
        .where(Preview.candidate_version_id == version_id)
        .order_by(Preview.created_at.desc(), Preview.id)
        .limit(1)
    )


def back_to(session: Session, user: User, expected_active_id: int) -> StudentVersion:
    """The version that was active before, if the user may go back to it now."""
    active = active_version(session)
    if active is None or active.id != expected_active_id:
        raise Conflict("Another version became active meanwhile. Reload the page and look again.")
    if user.role != Role.ADMINISTRATOR and active.activated_by != user.id:
        raise NotAllowed("Somebody else made this version active, so only they or an administrator may go back.")
    before = session.get(StudentVersion, active.replaced_id) if active.replaced_id is not None else None
    if before is None:
        raise Conflict("No version was active before this one.")
    return before
