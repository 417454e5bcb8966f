"""The audit log: a hash chain of who did what, holding ids and never names or texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from db.engine import Database
from db.tables import AuditEvent, AuditHead, utc_now
from scoring.domain import Role
from scoring.errors import InvalidInput
from scoring.intake.exporting import write_csv
from scoring.services.actors import Actor, require

GENESIS = "0" * 64
SYSTEM = 0  # in a filter: what the program did by itself
SAME_LOOK = timedelta(hours=1)
MOST_EXPORTED = 250_000
EXPORT_HEADERS = (
    "No.", "Time (UTC)", "Account", "Action", "Object", "Object number", "Details", "Seal before", "Seal",
)  # fmt: skip


@dataclass(frozen=True)
class AuditEntry:
    """One event as the audit screen shows it."""

    id: int
    at: datetime
    actor_id: int | None
    action: str
    object_type: str
    object_id: str
    detail: dict[str, Any]


@dataclass(frozen=True)
class AuditFilter:
    """Which events to read; what is empty or `None` holds nothing back."""

    action: str = ""  # what it begins with, as in `upload.`
    person: int | None = None  # a user's id, or SYSTEM
    object_type: str = ""
    object_id: str = ""
    since: datetime | None = None  # from this moment on
    until: datetime | None = None  # before this moment


EVERYTHING = AuditFilter()


@dataclass(frozen=True)
class ChainReport:
    """The outcome of a check: how many events were read, and the first that does not fit, if any."""

    events: int
    broken_at: int | None
    reason: str = ""

    @property
    def intact(self) -> bool:
        """Whether every event fits."""
        return self.broken_at is None


def record(
    session: Session, actor_id: int | None, action: str, object_type: str, object_id: object, **detail: Any
) -> None:
    """Append an event in the caller's transaction, so that neither exists without the other.

    Args:
        session: A write session; the head row is locked until it commits.
        actor_id: The user, or `None` for the system itself.
        action: `object.verb`, as in `upload.submit`.
        object_type: The table-like name of what was acted on.
        object_id: Its id.
        detail: JSON-able ids, counts and kinds. Never a name or a learner's text.
    """
    head = session.get(AuditHead, 1, with_for_update=True)
    if head is None:
        head = AuditHead(id=1, last_id=0, last_hash=GENESIS)
        session.add(head)
    event = AuditEvent(
        id=head.last_id + 1,
        at=utc_now(),
        actor_id=actor_id,
        action=action,
        object_type=object_type,
        object_id=str(object_id),
        # As the database will give it back, or the hash would not fit: a number as a key becomes a text.
        detail=json.loads(json.dumps(detail)),
        previous_hash=head.last_hash,
    )
    event.hash = event_hash(event)
    session.add(event)
    head.last_id, head.last_hash = event.id, event.hash


def record_look(session: Session, user_id: int, action: str, object_type: str, object_id: object) -> None:
    """Append that somebody saw something, unless this stands there already for the same hour's look."""
    if not seen_lately(session, user_id, action, object_type, object_id):
        record(session, user_id, action, object_type, object_id)


def seen_lately(session: Session, user_id: int, action: str, object_type: str, object_id: object) -> bool:
    """Whether this person's look at this object was recorded within the last hour."""
    found = session.scalar(
        select(AuditEvent.id)
        .where(
            AuditEvent.object_type == object_type,
            AuditEvent.object_id == str(object_id),
            AuditEvent.actor_id == user_id,
            AuditEvent.action == action,
            AuditEvent.at > utc_now() - SAME_LOOK,
        )
        .limit(1)
    )
    return found is not None


def event_hash(event: AuditEvent) -> str:
    """SHA-256 (hex) over the event's content and its predecessor's hash."""
    content = [
        event.id,
        event.at.astimezone(UTC).isoformat(timespec="microseconds"),
        event.actor_id,
        event.action,
        event.object_type,
        event.object_id,
        event.detail,
        event.previous_hash,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def verify_chain(database: Database) -> ChainReport:
    """Recompute every hash from the first event to the head; stops at the first misfit."""
    with database.read() as session:
        previous, count = GENESIS, 0
        for event in session.scalars(select(AuditEvent).order_by(AuditEvent.id).execution_options(yield_per=1000)):
            count += 1
            if event.id != count:
                return ChainReport(count, count, f"event {count} is missing")
            if event.previous_hash != previous:
                return ChainReport(count, event.id, "it does not follow from the event before it")
            if event.hash != event_hash(event):
                return ChainReport(count, event.id, "its content was changed")
            previous = event.hash
        head = session.get(AuditHead, 1)
        if head is not None and (head.last_id, head.last_hash) != (count, previous):
            return ChainReport(count, head.last_id, "events were removed from the end")
        if head is None and count:
            return ChainReport(count, count, "the head of the chain is missing")
    return ChainReport(count, None)


class Audit:
    """Reading the audit log; administrators only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def events(
        self, actor: Actor, only: AuditFilter = EVERYTHING, *, limit: int = 100, offset: int = 0
    ) -> tuple[list[AuditEntry], int]:
        """A page of events, newest first, and how many there are."""
        with self._database.read() as session:
            require(session, actor, Role.ADMINISTRATOR)
            query = _matching(only)
            total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
            rows = session.scalars(query.order_by(AuditEvent.id.desc()).limit(limit).offset(offset))
            return [
                AuditEntry(e.id, e.at, e.actor_id, e.action, e.object_type, e.object_id, e.detail) for e in rows
            ], total

    def export(self, actor: Actor, only: AuditFilter = EVERYTHING) -> tuple[str, bytes]:
        """Events as CSV, oldest first, with their seals: file name and bytes. The export is on record itself.

        Raises:
            InvalidInput: more events match than one file takes.
        """
        with self._database.write() as session:
            user = require(session, actor, Role.ADMINISTRATOR)
            query = _matching(only)
            count = session.scalar(select(func.count()).select_from(query.subquery())) or 0
            if count > MOST_EXPORTED:
                raise InvalidInput(
                    f"{count:,} events match; one file takes {MOST_EXPORTED:,}. Choose a shorter time, then download."
                )
            filters = {name: str(value) for name, value in asdict(only).items() if value not in ("", None)}
            record(session, user.id, "audit.export", "audit", "log", events=count, only=filters)
            last_id = session.get_one(AuditHead, 1).last_id
        with self._database.read() as session:
            rows = session.scalars(
                query.where(AuditEvent.id <= last_id).order_by(AuditEvent.id).execution_options(yield_per=1000)
            )
            return f"audit log {utc_now():%Y-%m-%d}.csv", write_csv(EXPORT_HEADERS, _export_rows(rows))

    def verify(self, actor: Actor) -> ChainReport:
        """Check the whole chain."""
        with self._database.read() as session:
            require(session, actor, Role.ADMINISTRATOR)
        return verify_chain(self._database)


def _matching(only: AuditFilter) -> Select[AuditEvent]:
    query = select(AuditEvent)
    if only.action:
        query = query.where(AuditEvent.action.startswith(only.action, autoescape=True))
    if only.person is not None:
        query = query.where(
            AuditEvent.actor_id.is_(None) if only.person == SYSTEM else AuditEvent.actor_id == only.person
        )
    if only.object_type:
        query = query.where(AuditEvent.object_type == only.object_type)
    if only.object_id:
        query = query.where(AuditEvent.object_id == only.object_id)
    if only.since is not None:
        query = query.where(AuditEvent.at >= only.since)
    if only.until is not None:
        query = query.where(AuditEvent.at < only.until)
    return query


def _export_rows(events: Iterable[AuditEvent]) -> Iterator[tuple[object, ...]]:
    """All that a hash covers, written as it was hashed, so that the file can be checked without the program."""
    for event in events:
        yield (
            event.id, event.at.astimezone(UTC).isoformat(timespec="microseconds"), event.actor_id, event.action,
            event.object_type, event.object_id, json.dumps(event.detail, sort_keys=True, separators=(",", ":")),
            event.previous_hash, event.hash,
        )  # fmt: skip
