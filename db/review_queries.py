"""The review queue: one response and its neighbours in an order, found by index and never by reading an upload.

An order is a row of segments, one after the other; within a segment responses are sorted by one column,
then by id, which is file order. Positions don't depend on decisions, so deciding moves nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from heapq import merge
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.tables import Response, ReviewFlag

Condition = ColumnElement[bool]
EITHER = (False, True)


class QueueOrder(StrEnum):
    """In which order an upload's responses are reviewed."""

    UNCERTAIN = "uncertain"  # drawn blind first, then the least certain
    FILE = "file"
    LOWEST = "lowest"  # by the machine's total
    HIGHEST = "highest"
    FLAGGED = "flagged"
    ALIKE = "alike"  # answers that say the same, one after the other


@dataclass(frozen=True)
class Segment:
    """A part of an order: which responses, and the column that they are sorted by before their id."""

    conditions: tuple[Condition, ...]
    column: InstrumentedAttribute[Any] | None = None
    descending: bool = False


def segments(order: QueueOrder) -> tuple[Segment, ...]:
    """The parts of an order; together they hold every response once."""
    drawn = Segment((Response.blind.is_(True),))
    if order is QueueOrder.FILE:
        return (Segment(()),)
    if order is QueueOrder.FLAGGED:
        flagged = select(ReviewFlag.response_id).where(ReviewFlag.response_id == Response.id).exists()
        return (Segment((flagged,)), Segment((~flagged,)))
    if order is QueueOrder.ALIKE:
        column: InstrumentedAttribute[Any] = Response.alike_group
        return (Segment((column.is_not(None),), column), Segment((column.is_(None),)))
    column = Response.uncertainty if order is QueueOrder.UNCERTAIN else Response.machine_total
    rest = Response.blind.is_(False)
    return (
        drawn,
        Segment((rest, column.is_not(None)), column, descending=order is not QueueOrder.LOWEST),
        Segment((rest, column.is_(None))),
    )


def neighbours(
    session: Session,
    upload_id: str,
    order: QueueOrder,
    around: int | None,
    *,
    forward: bool = True,
    reviewed: Sequence[bool] = EITHER,
    extra: Sequence[Condition] = (),
) -> Iterator[int]:
    """Response ids that follow (or, not `forward`, precede) one in an order, nearest first.

    Args:
        session: A session for reading.
        upload_id: The upload.
        order: The order.
        around: The response to start from, which is left out; `None` for the very end of the order.
        forward: The direction.
        reviewed: Which states of `Response.reviewed` to take.
        extra: More conditions on the responses.
    """
    parts = list(segments(order))
    if not forward:
        parts.reverse()
    start = session.get(Response, around) if around is not None else None
    begun = start is None
    for part in parts:
        here = start if not begun else None
        if here is not None and not _holds(session, part, here):
            continue
        begun = True
        yield from _walk(session, upload_id, part, here, forward, reviewed, extra)


def _holds(session: Session, part: Segment, response: Response) -> bool:
    return session.scalar(select(Response.id).where(Response.id == response.id, *part.conditions)) is not None


def _walk(
    session: Session,
    upload_id: str,
    part: Segment,
    start: Response | None,
    forward: bool,
    reviewed: Sequence[bool],
    extra: Sequence[Condition],
) -> Iterator[int]:
    """The ids of one segment beyond `start`, value by value."""
    last = start.id if start is not None else None
    if part.column is None:
        yield from _ids(session, upload_id, (*part.conditions, *extra), last, forward, reviewed)
        return
    upward = forward is not part.descending
    value = getattr(start, part.column.key) if start is not None else None
    if start is None:
        value = _next_value(session, upload_id, part, None, upward, reviewed, extra)
    while value is not None:
        same = (*part.conditions, part.column == value, *extra)
        yield from _ids(session, upload_id, same, last, forward, reviewed)
        value, last = _next_value(session, upload_id, part, value, upward, reviewed, extra), None


def _next_value(
    session: Session,
    upload_id: str,
    part: Segment,
    value: Any,
    upward: bool,
    reviewed: Sequence[bool],
    extra: Sequence[Condition],
) -> Any:
    """The nearest value of the segment's column beyond `value` that some response has; `None`: there is none."""
    column = part.column
    assert column is not None
    found = []
    for state in reviewed:
        query = select(column).where(
            Response.upload_id == upload_id, Response.reviewed.is_(state), *part.conditions, *extra
        )
        if value is not None:
            query = query.where(column > value if upward else column < value)
        nearest = session.scalar(query.order_by(column if upward else column.desc()).limit(1))
        if nearest is not None:
            found.append(nearest)
    return (min(found) if upward else max(found)) if found else None


def _ids(
    session: Session,
    upload_id: str,
    conditions: Sequence[Condition],
    last: int | None,
    forward: bool,
    reviewed: Sequence[bool],
) -> Iterator[int]:
    """Ids beyond `last` under the conditions, read in small pages; each state of `reviewed` is one range."""
    streams = [
        _pages(session, (Response.upload_id == upload_id, Response.reviewed.is_(state), *conditions), last, forward)
        for state in reviewed
    ]
    return merge(*streams, reverse=not forward)


def _pages(session: Session, conditions: Sequence[Condition], last: int | None, forward: bool) -> Iterator[int]:
    size = 4
    while True:
        query = select(Response.id).where(*conditions)
        if last is not None:
            query = query.where(Response.id > last if forward else Response.id < last)
        page = list(session.scalars(query.order_by(Response.id if forward else Response.id.desc()).limit(size)))
        yield from page
        if len(page) < size:
            return
        last, size = page[-1], size * 4


def first(ids: Iterator[int]) -> int | None:
    """The first of them, if any."""
    return next(ids, None)


def some(ids: Iterator[int], count: int) -> list[int]:
    """The first few of them."""
    return list(islice(ids, count))


def count(session: Session, upload_id: str, *conditions: Condition) -> int:
    """How many responses of an upload meet the conditions."""
    query = select(func.count()).select_from(Response).where(Response.upload_id == upload_id, *conditions)
    return session.scalar(query) or 0


def count_flagged(session: Session, upload_id: str, *conditions: Condition) -> int:
    """How many responses of an upload a person has marked."""
    query = select(func.count()).select_from(ReviewFlag).join(Response, Response.id == ReviewFlag.response_id)
    return session.scalar(query.where(Response.upload_id == upload_id, *conditions)) or 0
