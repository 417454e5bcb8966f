"""Sections: classes of learners and the educators who own them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.engine import Database
from db.tables import Section, SectionEducator, SectionMember, Upload, User, utc_now
from scoring.errors import InvalidInput, NotFound
from scoring.services.actors import Actor, require, require_section, visible_section_ids
from scoring.services.audit import record


@dataclass(frozen=True)
class SectionSummary:
    """A section with what its card shows."""

    id: int
    name: str
    educators: tuple[str, ...]
    learners: int
    uploads: int
    archived: bool


class Sections:
    """The sections an actor may see and change."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def mine(self, actor: Actor, *, archived: bool = False) -> list[SectionSummary]:
        """The actor's sections by name (every section for an administrator)."""
        with self._database.read() as session:
            user = require(session, actor)
            query = select(Section).where(
                Section.id.in_(visible_section_ids(session, user)),
                Section.archived_at.is_not(None) if archived else Section.archived_at.is_(None),
            )
            return [_summary(session, s) for s in session.scalars(query.order_by(func.lower(Section.name), Section.id))]

    def create(self, actor: Actor, name: str) -> SectionSummary:
        """Make a section owned by the actor. Raises `InvalidInput` for an empty or overlong name."""
        name = _checked_name(name)
        with self._database.write() as session:
            user = require(session, actor)
            section = Section(name=name, created_by=user.id)
            session.add(section)
            session.flush()
            session.add(SectionEducator(section_id=section.id, user_id=user.id))
            session.flush()
            record(session, user.id, "section.create", "section", section.id)
            return _summary(session, section)

    def rename(self, actor: Actor, section_id: int, name: str) -> None:
        """Give a section another name."""
        name = _checked_name(name)
        with self._database.write() as session:
            user = require(session, actor)
            require_section(session, user, section_id).name = name
            record(session, user.id, "section.rename", "section", section_id)

    def set_archived(self, actor: Actor, section_id: int, archived: bool) -> None:
        """Put a section away, or bring it back; nothing of it is deleted."""
        with self._database.write() as session:
            user = require(session, actor)
            require_section(session, user, section_id).archived_at = utc_now() if archived else None
            record(
                session,
                user.id,
                "section.archive" if archived else "section.unarchive",
                "section",
                section_id,
            )

    def share(self, actor: Actor, section_id: int, email: str) -> None:
        """Make another educator an owner too.

        Raises:
            NotFound: the section is not the actor's, or nobody active has that e-mail address.
        """
        with self._database.write() as session:
            user = require(session, actor)
            require_section(session, user, section_id)
            other = session.scalar(select(User).where(User.email == email.strip().lower(), User.active.is_(True)))
            if other is None:
                raise NotFound("Nobody here has that e-mail address. Ask an administrator to add them first.")
            if session.get(SectionEducator, (section_id, other.id)) is None:
                session.add(SectionEducator(section_id=section_id, user_id=other.id))
                record(session, user.id, "section.share", "section", section_id, user=other.id)


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= 200:
        raise InvalidInput("A section needs a name of 1 to 200 characters.")
    return name


def _summary(session: Session, section: Section) -> SectionSummary:
    educators = session.scalars(
        select(User.name)
        .join(SectionEducator, SectionEducator.user_id == User.id)
        .where(SectionEducator.section_id == section.id)
        .order_by(func.lower(User.name))
    )
    learners = select(func.count()).select_from(SectionMember).where(SectionMember.section_id == section.id)
    uploads = select(func.count()).select_from(Upload).where(Upload.section_id == section.id)
    return SectionSummary(
        section.id,
        section.name,
        tuple(educators),
        session.scalar(learners) or 0,
        session.scalar(uploads) or 0,
        section.archived_at is not None,
    )
