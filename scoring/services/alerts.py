"""Urgent signs: answers that may tell of harm, for people to read. Never a score; every look is on record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, exists, func, select, update
from sqlalchemy.orm import Session

from db.engine import Database
from db.tables import (
    AuditEvent,
    Response,
    Section,
    SectionEducator,
    SectionMember,
    TaskVersion,
    Upload,
    UrgentAlert,
    User,
    utc_now,
)
from scoring.checks.locating import locate
from scoring.checks.urgent import MISSES_HAPPEN, REASONS, UrgentSign, urgent_signs
from scoring.domain import Role
from scoring.errors import Conflict, InvalidInput, NotFound
from scoring.services.actors import Actor, require
from scoring.services.audit import record, record_look, seen_lately
from scoring.services.told import people_told, told_of

# What pages need of the search, so that they know the services only.
__all__ = [
    "LONGEST_NOTE",
    "MISSES_HAPPEN",
    "REASONS",
    "Alert",
    "AlertText",
    "Alerts",
    "merged",
    "raise_alerts",
    "raise_signs",
    "showing_signs",
]

LONGEST_NOTE = 2_000


@dataclass(frozen=True)
class Alert:
    """An answer with urgent signs as the list shows it: whose, where and when, but not its text."""

    response_id: int
    upload_id: str
    kinds: tuple[str, ...]
    learner: str
    section: str
    task: str
    raised_at: datetime
    told: tuple[str, ...]  # names of the people who can read it, by name
    mine: bool  # the section is the actor's, so that review shows the answer too
    handled_by: str
    handled_at: datetime | None
    note: str


@dataclass(frozen=True)
class AlertText:
    """The answer itself, with where its signs stand: [start, end) in characters, ascending, apart from each other."""

    text: str
    signs: tuple[tuple[int, int], ...]


class Alerts:
    """Alerts for the educators of the section and the people whom the house rules name."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def waiting(self, actor: Actor) -> int:
        """How many answers with urgent signs nobody has dealt with yet, among those the actor is told of."""
        with self._database.read() as session:
            user = require(session, actor)
            query = _responses(session, user).where(UrgentAlert.handled_at.is_(None))
            return session.scalar(select(func.count()).select_from(query.subquery())) or 0

    def all(self, actor: Actor, *, handled: bool = False, limit: int = 20, offset: int = 0) -> tuple[list[Alert], int]:
        """A page of alerts, newest first, and how many there are; that they were listed is on record."""
        with self._database.read() as session:
            user = require(session, actor)
            query = _responses(session, user)
            waiting = query.where(UrgentAlert.handled_at.is_(None))
            # An answer has been dealt with when none of its signs waits.
            chosen = query.where(UrgentAlert.response_id.not_in(waiting)) if handled else waiting
            total = session.scalar(select(func.count()).select_from(chosen.subquery())) or 0
            newest = chosen.order_by(func.max(UrgentAlert.created_at).desc(), UrgentAlert.response_id.desc())
            alerts = [_alert(session, user, i) for i in session.scalars(newest.limit(limit).offset(offset))]
            on_record = not alerts or seen_lately(session, user.id, "alert.list", "alerts", "list")
        if not on_record:
            with self._database.write() as session:
                record_look(session, require(session, actor).id, "alert.list", "alerts", "list")
        return alerts, total

    def read(self, actor: Actor, response_id: int, look: str) -> AlertText:
        """The answer's text; each look is an event in the audit log.

        Args:
            actor: Who reads.
            response_id: The answer.
            look: Made once per opening, so that a screen drawn twice is one look.
        """
        with self._database.write() as session:
            user = require(session, actor)
            rows = _rows(session, user, response_id)
            seen = session.scalars(
                select(AuditEvent.detail).where(
                    AuditEvent.object_type == "response",
                    AuditEvent.object_id == str(response_id),
                    AuditEvent.action == "alert.read",
                    AuditEvent.actor_id == user.id,
                )
            )
            if look not in {detail.get("look") for detail in seen}:
                record(session, user.id, "alert.read", "response", response_id, look=look)
            text = session.get_one(Response, response_id).text
            return AlertText(text, merged((int(s), int(e)) for row in rows for s, e in row.matched))

    def handle(self, actor: Actor, response_id: int, note: str) -> None:
        """Say that somebody has dealt with it, and how.

        Raises:
            InvalidInput: the note is empty or too long.
            Conflict: somebody else has dealt with it meanwhile.
        """
        note = note.strip()
        if not 1 <= len(note) <= LONGEST_NOTE:
            raise InvalidInput(f"Say in 1 to {LONGEST_NOTE:,} characters what was done, so that others know.")
        with self._database.write() as session:
            user = require(session, actor)
            rows = _rows(session, user, response_id)
            waiting = [row.id for row in rows if row.handled_at is None]
            if not waiting:
                raise Conflict("Somebody has dealt with this answer meanwhile; the page now shows their note.")
            session.execute(
                update(UrgentAlert)
                .where(UrgentAlert.id.in_(waiting))
                .values(handled_by=user.id, handled_at=utc_now(), note=note)
            )
            record(session, user.id, "alert.handle", "response", response_id)

    def reopen(self, actor: Actor, response_id: int) -> None:
        """Put an answer back among those that wait; its note goes."""
        with self._database.write() as session:
            user = require(session, actor)
            rows = _rows(session, user, response_id)
            session.execute(
                update(UrgentAlert)
                .where(UrgentAlert.id.in_([row.id for row in rows]))
                .values(handled_by=None, handled_at=None, note="")
            )
            record(session, user.id, "alert.reopen", "response", response_id)


def showing_signs(responses: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    """Of responses, id and text, those with urgent signs: the slow part, which needs no transaction."""
    return [(response_id, text) for response_id, text in responses if urgent_signs(text)]


def raise_alerts(session: Session, responses: Iterable[tuple[int, str]]) -> int:
    """Look for urgent signs, and raise an alert for each kind that an answer shows.

    Args:
        session: A write session; the alerts exist once it commits.
        responses: Id and text of each answer. One that was looked at before raises nothing twice.

    Returns:
        How many answers raised something new.
    """
    return raise_signs(session, {i: (text, signs) for i, text in responses if (signs := urgent_signs(text))})


def raise_signs(session: Session, found: Mapping[int, tuple[str, Sequence[UrgentSign]]]) -> int:
    """Raise an alert for each kind of sign that was found, by the response's id, with its text.

    Args and result are otherwise those of `raise_alerts`.
    """
    known = set(
        session.execute(
            select(UrgentAlert.response_id, UrgentAlert.kind).where(UrgentAlert.response_id.in_(list(found)))
        ).tuples()
    )
    raised = []
    for response_id, (text, signs) in found.items():
        new = [sign for sign in signs if (response_id, sign.kind) not in known]
        session.add_all(
            UrgentAlert(response_id=response_id, kind=sign.kind, matched=[list(locate(text, sign))]) for sign in new
        )
        if new:
            raised.append(response_id)
            record(session, None, "alert.raise", "response", response_id)
    return len(raised)


def merged(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Spans in ascending order, those that touch or overlap made one.

    >>> merged([(8, 9), (0, 3), (2, 5)])
    ((0, 5), (8, 9))
    """
    apart: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if apart and start <= apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return tuple(apart)


def _responses(session: Session, user: User) -> Select[int]:
    """The ids of answers with alerts that the user is told of.

    Asked for alert by alert: they are few, and this runs on every screen, whatever the number of answers.
    """
    told = (
        exists()
        .where(Response.id == UrgentAlert.response_id, Upload.id == Response.upload_id, told_of(session, user))
        .correlate(UrgentAlert)
    )
    return select(UrgentAlert.response_id).where(told).group_by(UrgentAlert.response_id)


def _rows(session: Session, user: User, response_id: int) -> list[UrgentAlert]:
    rows = session.scalars(
        select(UrgentAlert)
        .join(Response, Response.id == UrgentAlert.response_id)
        .join(Upload, Upload.id == Response.upload_id)
        .where(UrgentAlert.response_id == response_id, told_of(session, user))
        .order_by(UrgentAlert.kind)
    ).all()
    if not rows:
        raise NotFound("There is no such alert among yours.")
    return list(rows)


def _alert(session: Session, user: User, response_id: int) -> Alert:
    response, upload, section, title, identifier = session.execute(
        select(Response, Upload, Section, TaskVersion.title, SectionMember.identifier)
        .join(Upload, Upload.id == Response.upload_id)
        .join(Section, Section.id == Upload.section_id)
        .join(TaskVersion, TaskVersion.id == Upload.task_version_id)
        .outerjoin(
            SectionMember,
            (SectionMember.section_id == Section.id) & (SectionMember.learner_id == Response.learner_id),
        )
        .where(Response.id == response_id)
    ).one()
    rows = _rows(session, user, response_id)
    last = max(rows, key=lambda row: (row.handled_at is None, row.handled_at or row.created_at))
    handler = session.get(User, last.handled_by) if last.handled_by is not None else None
    return Alert(
        response_id=response_id,
        upload_id=upload.id,
        kinds=tuple(row.kind for row in rows),
        learner=identifier or f"Row {response.row_number}",
        section=section.name,
        task=title,
        raised_at=min(row.created_at for row in rows),
        told=tuple(person.name for person in people_told(session, section.id)),
        mine=user.role == Role.ADMINISTRATOR or session.get(SectionEducator, (section.id, user.id)) is not None,
        handled_by=handler.name if handler else "",
        handled_at=last.handled_at,
        note=last.note,
    )
