"""Who is told of an urgent sign: the section's educators and the people whom the house rules name."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from db.tables import SectionEducator, Upload, User
from scoring.domain import Role
from scoring.services.rules import ALERTS, rule


def told_of(session: Session, user: User) -> ColumnElement[bool]:
    """Which uploads' alerts are for this user: the condition on `Upload`.

    Where neither an educator of the section nor a named person can sign in any more, administrators
    are told, so that no alert is without a reader.
    """
    named = rule(session, ALERTS)["people"]
    if user.id in named:
        return true()
    own = Upload.section_id.in_(select(SectionEducator.section_id).where(SectionEducator.user_id == user.id))
    if user.role != Role.ADMINISTRATOR or _active(session, named):
        return own
    taught = (
        select(SectionEducator.section_id).join(User, User.id == SectionEducator.user_id).where(User.active.is_(True))
    )
    return own | Upload.section_id.not_in(taught)


def people_told(session: Session, section_id: int) -> list[User]:
    """Everybody who is told of the signs in a section's answers, by name."""
    educators = session.scalars(select(SectionEducator.user_id).where(SectionEducator.section_id == section_id))
    told = _active(session, [*educators, *rule(session, ALERTS)["people"]])
    if not told:
        told = list(session.scalars(select(User).where(User.role == Role.ADMINISTRATOR, User.active.is_(True))))
    return sorted(told, key=lambda user: (user.name.casefold(), user.id))


def _active(session: Session, user_ids: Sequence[int]) -> list[User]:
    return list(session.scalars(select(User).where(User.id.in_(user_ids), User.active.is_(True))))
