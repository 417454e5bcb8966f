"""What to review next, and how far one is: by index and by counts, never by reading a whole upload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import median

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from db.engine import Database
from db.review_queries import QueueOrder, count, count_flagged, first, neighbours, some
from db.tables import (
    HumanScoreRow,
    Learner,
    Response,
    ResponseFlag,
    ReviewFlag,
    SectionMember,
    Upload,
    User,
)
from scoring.errors import NotFound
from scoring.services.actors import Actor, require
from scoring.services.uploads import require_upload

BREAK_S = 300.0  # a longer pause between two decisions is a break, not work
PACE_OVER = 40  # newest decisions that the pace is taken from
SNIPPET = 60  # characters before and after what was searched for


class QueueFilter(StrEnum):
    """Which responses a queue is for."""

    UNREVIEWED = "unreviewed"
    FLAGGED = "flagged"  # marked by a person
    CHECKED = "checked"  # with something to look at: a response check was not passed


@dataclass(frozen=True)
class QueueState:
    """How far the review of an upload is, under the filter. `mark` is where a sitting that begins now begins."""

    total: int
    reviewed: int
    left: int
    blind_left: int
    flagged: int
    seconds_per_answer: float | None  # of the actor, between decisions; None before there are some
    seconds_left: float | None
    mark: int


@dataclass(frozen=True)
class SearchHit:
    """An answer that holds what was searched for."""

    id: int
    learner: str
    row: int
    snippet: str


class Queue:
    """The order of work on an upload."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def queue(self, actor: Actor, upload_id: str, *, only: QueueFilter | None = None) -> QueueState:
        """How many there are, how many are left, and how long they will take at the actor's pace."""
        with self._database.read() as session:
            user = require(session, actor)
            upload = require_upload(session, user, upload_id)
            extra = _conditions(only)
            reviewed = count(session, upload_id, Response.reviewed.is_(True), *extra)
            left = (
                count(session, upload_id, Response.reviewed.is_(False), *extra)
                if only
                else upload.response_count - reviewed
            )
            blind_left = count(session, upload_id, Response.reviewed.is_(False), Response.blind.is_(True), *extra)
            flagged = count_flagged(session, upload_id, *extra)
            pace = _pace(session, user, upload_id)
            return QueueState(
                total=reviewed + left,
                reviewed=reviewed,
                left=left,
                blind_left=blind_left,
                flagged=flagged,
                seconds_per_answer=pace,
                seconds_left=None if pace is None else pace * left,
                mark=session.scalar(select(func.max(HumanScoreRow.id))) or 0,
            )

    def next(
        self,
        actor: Actor,
        upload_id: str,
        order: QueueOrder,
        after: int | None,
        *,
        direction: int = 1,
        only: QueueFilter | None = None,
        unreviewed_only: bool = True,
    ) -> int | None:
        """The response that comes after another one, or before it.

        Among the unreviewed, whatever was drawn blind comes first in every order, and the end is followed
        by the beginning. Otherwise the order is walked as it is, and ends at its ends.

        Args:
            actor: Who asks.
            upload_id: The upload.
            order: The order.
            after: Where one is; `None` for before the first. One that was erased counts as that, too.
            direction: 1 onward, -1 back.
            only: Leave out all others.
            unreviewed_only: Leave out what people have decided.

        Returns:
            The response; `None` when there is none but the one where one is.
        """
        with self._database.read() as session:
            require_upload(session, require(session, actor), upload_id)
            here = _in_upload(session, upload_id, after)
            extra, onward = _conditions(only), direction > 0
            if not unreviewed_only:
                return first(neighbours(session, upload_id, order, here, forward=onward, extra=extra))
            found = _next_blind(session, upload_id, here, extra) if onward else None
            for start in (here, None):
                if found is None:
                    found = first(
                        i
                        for i in neighbours(
                            session, upload_id, order, start, forward=onward, reviewed=(False,), extra=extra
                        )
                        if i != after
                    )
            return found

    def window(
        self,
        actor: Actor,
        upload_id: str,
        order: QueueOrder,
        around: int,
        before: int = 1,
        after: int = 3,
        *,
        only: QueueFilter | None = None,
    ) -> list[int]:
        """The responses around one in an order, itself included, whether reviewed or not."""
        with self._database.read() as session:
            require_upload(session, require(session, actor), upload_id)
            here = _in_upload(session, upload_id, around)
            extra = _conditions(only)
            if here is None:
                return some(neighbours(session, upload_id, order, None, extra=extra), 1 + after)
            back = some(neighbours(session, upload_id, order, here, forward=False, extra=extra), before)
            return [*reversed(back), here, *some(neighbours(session, upload_id, order, here, extra=extra), after)]

    def search(self, actor: Actor, upload_id: str, words: str, limit: int = 20) -> list[SearchHit]:
        """Answers that hold every one of the words, in text, name or identifier, in file order."""
        wanted = words.split()
        if not wanted:
            return []
        with self._database.read() as session:
            require_upload(session, require(session, actor), upload_id)
            query = (
                select(Response.id, Response.row_number, Response.text, SectionMember.identifier)
                .join(Upload, Upload.id == Response.upload_id)
                .join(Learner, Learner.id == Response.learner_id)
                .outerjoin(
                    SectionMember,
                    (SectionMember.learner_id == Response.learner_id) & (SectionMember.section_id == Upload.section_id),
                )
                .where(Response.upload_id == upload_id, *(_holds(word) for word in wanted))
            )
            rows = session.execute(query.order_by(Response.id).limit(limit)).all()
        return [
            SearchHit(i, identifier or f"Row {row}", row, _snippet(text, wanted)) for i, row, text, identifier in rows
        ]

    def jump(self, actor: Actor, upload_id: str, to: str) -> int:
        """The response with this learner identifier (the newest attempt), else in this row of the file.

        Raises:
            NotFound: there is none.
        """
        wanted = to.strip()
        number = wanted.lower().removeprefix("row").strip()
        with self._database.read() as session:
            upload = require_upload(session, require(session, actor), upload_id)
            found = _of_member(session, upload, SectionMember.identifier.in_({wanted, wanted.lower(), wanted.upper()}))
            if found is None and number.isascii() and number.isdigit() and len(number) < 10:
                found = session.scalar(
                    select(Response.id).where(Response.upload_id == upload_id, Response.row_number == int(number))
                )
            if found is None:
                found = _of_member(session, upload, func.lower(SectionMember.identifier) == wanted.lower())
            if found is None:
                raise NotFound("No answer of this upload has that row or identifier.")
            return found


def _of_member(session: Session, upload: Upload, condition: ColumnElement[bool]) -> int | None:
    """The newest response in an upload of the section's member under a condition."""
    members = session.scalars(
        select(SectionMember.learner_id).where(SectionMember.section_id == upload.section_id, condition)
    ).all()
    # By learner alone, of whom there is one; given the upload too, the database would rather read all of that.
    rows = session.execute(select(Response.id, Response.upload_id).where(Response.learner_id.in_(members)))
    return max((i for i, where in rows if where == upload.id), default=None)


def _in_upload(session: Session, upload_id: str, response_id: int | None) -> int | None:
    if response_id is None:
        return None
    return session.scalar(select(Response.id).where(Response.id == response_id, Response.upload_id == upload_id))


def _next_blind(session: Session, upload_id: str, here: int | None, extra: Sequence[ColumnElement[bool]]) -> int | None:
    """The next undecided response that was drawn blind, in file order and around the end."""
    drawn = select(Response.id).where(
        Response.upload_id == upload_id, Response.reviewed.is_(False), Response.blind.is_(True), *extra
    )
    beyond = session.scalar(drawn.where(Response.id > (here or 0)).order_by(Response.id).limit(1))
    if beyond is not None or here is None:
        return beyond
    return session.scalar(drawn.where(Response.id < here).order_by(Response.id).limit(1))


def _conditions(only: QueueFilter | None) -> tuple[ColumnElement[bool], ...]:
    if only is QueueFilter.FLAGGED:
        return (Response.id.in_(select(ReviewFlag.response_id)),)
    if only is QueueFilter.CHECKED:
        return (select(ResponseFlag.id).where(ResponseFlag.response_id == Response.id).exists(),)
    return (Response.reviewed.is_(False),) if only is QueueFilter.UNREVIEWED else ()


def _pace(session: Session, user: User, upload_id: str) -> float | None:
    """Median seconds from one of the user's newest decisions on the upload to the next, without breaks."""
    times = session.execute(
        select(HumanScoreRow.nonce, HumanScoreRow.created_at)
        .join(Response, Response.id == HumanScoreRow.response_id)
        .where(HumanScoreRow.rater_id == user.id, Response.upload_id == upload_id, HumanScoreRow.retracts_id.is_(None))
        .order_by(HumanScoreRow.id.desc())
        .limit(PACE_OVER * 3)
    ).all()
    newest = [at for _, at in {nonce: (nonce, at) for nonce, at in times}.values()][:PACE_OVER]
    gaps = [(later - earlier).total_seconds() for later, earlier in pairwise(newest)]
    worked = [gap for gap in gaps if 0 < gap <= BREAK_S]
    return median(worked) if len(worked) >= 3 else None


def _holds(word: str) -> ColumnElement[bool]:
    """Upper and lower case alike; the database folds only the letters of English, so the spellings are listed."""
    spellings = {word, word.lower(), word.upper(), word.capitalize()}
    places = (Response.text, Learner.name, SectionMember.identifier)
    return or_(*(place.icontains(spelling, autoescape=True) for spelling in spellings for place in places))


def _snippet(text: str, words: Sequence[str]) -> str:
    """The text around the first of the words that it holds."""
    folded = text.lower()
    at = min((place for word in words if (place := folded.find(word.lower())) >= 0), default=0)
    start, end = max(0, at - SNIPPET), at + SNIPPET
    return f"{'…' if start else ''}{' '.join(text[start:end].split())}{'…' if end < len(text) else ''}"
