"""The order of work: complete, stable while people decide, found by index, and blind ones first."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, update

from db import tables
from db.tables import HumanScoreRow, Response
from scoring.errors import NotFound
from scoring.services.review import QueueFilter, QueueOrder
from tests.conftest import School

COUNT = 24


@pytest.fixture
def upload_id(school: School) -> str:
    """24 answers with ties in every column that orders go by; three are drawn blind, two have no machine score."""
    upload = school.upload([(f"s{n}", f"Name {n}", f"Answer {n} of heat.") for n in range(COUNT)])
    chance = random.Random(7)
    with school.database.write() as session:
        for number, row in enumerate(session.scalars(select(Response).where(Response.upload_id == upload))):
            row.blind = number in (5, 11, 17)
            if not row.blind and number not in (8, 20):
                row.uncertainty, row.machine_total = chance.choice([0.1, 0.4, 0.9]), chance.choice([0, 1, 3])
            row.alike_group = chance.choice([None, "a", "b", "c"])
    for n in (3, 19, 5):
        school.services.review.flag(school.educator, school.response_ids(upload)[n], True, "look again")
    return upload


def _expected(school: School, upload_id: str, order: QueueOrder) -> list[int]:
    """The order as its description has it, by sorting everything."""
    with school.database.read() as session:
        rows = list(session.scalars(select(Response).where(Response.upload_id == upload_id)))
        flagged = set(session.scalars(select(tables.ReviewFlag.response_id)))

    def by(value: float | None, sign: int) -> tuple[Any, ...]:
        return (value is None, sign * (value or 0))

    keys: dict[QueueOrder, Callable[[Response], Any]] = {
        QueueOrder.UNCERTAIN: lambda r: (not r.blind, *by(r.uncertainty, -1), r.id),
        QueueOrder.LOWEST: lambda r: (not r.blind, *by(r.machine_total, 1), r.id),
        QueueOrder.HIGHEST: lambda r: (not r.blind, *by(r.machine_total, -1), r.id),
        QueueOrder.FILE: lambda r: r.row_number,
        QueueOrder.FLAGGED: lambda r: (r.id not in flagged, r.id),
        QueueOrder.ALIKE: lambda r: (r.alike_group is None, r.alike_group or "", r.id),
    }
    return [row.id for row in sorted(rows, key=keys[order])]


def _walk(school: School, upload_id: str, order: QueueOrder, direction: int = 1, **options: Any) -> list[int]:
    """What one meets on pressing next (or previous) to the end."""
    met: list[int] = []
    here = None
    while True:
        here = school.services.review.next(
            school.educator, upload_id, order, here, direction=direction, unreviewed_only=False, **options
        )
        if here is None:
            return met
        met.append(here)
        assert len(met) <= COUNT, "going round in circles"


@pytest.mark.parametrize("order", list(QueueOrder))
def test_every_order_holds_every_answer_once_both_ways_and_nobody_moves(
    school: School, upload_id: str, order: QueueOrder
) -> None:
    expected = _expected(school, upload_id, order)
    assert _walk(school, upload_id, order) == expected
    with school.database.write() as session:
        for i in expected[::3]:
            session.get_one(Response, i).reviewed = True
    assert _walk(school, upload_id, order) == expected
    assert _walk(school, upload_id, order, direction=-1) == expected[::-1]
    window = school.services.review.window
    for place in (0, 1, 9, COUNT - 1):
        around = expected[max(0, place - 1) : place + 4]
        assert window(school.educator, upload_id, order, expected[place]) == around
    flagged = _walk(school, upload_id, order, only=QueueFilter.FLAGGED)
    assert [i for i in expected if i in flagged] == flagged
    assert len(flagged) == 3


@pytest.mark.parametrize("order", list(QueueOrder))
def test_deciding_one_after_the_other_serves_blind_ones_first_and_each_once(
    school: School, upload_id: str, order: QueueOrder
) -> None:
    review, expected = school.services.review, _expected(school, upload_id, order)
    with school.database.read() as session:
        drawn = set(session.scalars(select(Response.id).where(Response.blind.is_(True))))
    served: list[int] = []
    start = expected[10]  # somebody jumped in here
    here = review.next(school.educator, upload_id, order, start)
    while here is not None:
        served.append(here)
        with school.database.write() as session:
            session.execute(update(Response).where(Response.id == here).values(reviewed=True))
        here = review.next(school.educator, upload_id, order, here)
    assert sorted(served) == sorted(expected)
    assert set(served[:3]) == drawn
    state = review.queue(school.educator, upload_id)
    assert (state.total, state.reviewed, state.left, state.blind_left, state.flagged) == (COUNT, COUNT, 0, 0, 3)


def test_skipping_goes_on_and_round_and_never_to_where_one_is(school: School, upload_id: str) -> None:
    review, expected = school.services.review, _expected(school, upload_id, QueueOrder.FILE)
    with school.database.write() as session:
        session.execute(update(Response).values(blind=False))
    step = lambda i: review.next(school.educator, upload_id, QueueOrder.FILE, i)  # noqa: E731
    assert step(expected[3]) == expected[4]
    assert step(expected[-1]) == expected[0]
    with school.database.write() as session:
        session.execute(update(Response).where(Response.id != expected[3]).values(reviewed=True))
    assert step(expected[3]) is None
    assert step(expected[-1]) == expected[3]
    back = review.next(school.educator, upload_id, QueueOrder.FILE, expected[0], direction=-1)
    assert back == expected[3]


def test_where_one_was_was_erased(school: School, upload_id: str) -> None:
    review, ids = school.services.review, school.response_ids(upload_id)
    review.erase_response(school.educator, ids[0])
    assert review.next(school.educator, upload_id, QueueOrder.FILE, ids[0]) == ids[5], "the first blind one"
    assert review.window(school.educator, upload_id, QueueOrder.FILE, ids[0]) == ids[1:5]


def test_an_answer_of_another_upload_is_no_place_in_this_one(school: School, upload_id: str) -> None:
    other = school.response_ids(school.upload(token="other"))[0]
    walked = school.services.review.window(school.educator, upload_id, QueueOrder.FILE, other)
    assert set(walked) <= set(school.response_ids(upload_id))


def test_counts_follow_the_filter(school: School, upload_id: str) -> None:
    review, ids = school.services.review, school.response_ids(upload_id)
    with school.database.write() as session:
        session.execute(update(Response).where(Response.id.in_(ids[:4])).values(reviewed=True))
        session.add(tables.ResponseFlag(response_id=ids[9], kind="too_short", detail="2 words"))
    for only, counts in (
        (None, (COUNT, 4, COUNT - 4, 3)),
        (QueueFilter.FLAGGED, (3, 1, 2, 3)),
        (QueueFilter.CHECKED, (1, 0, 1, 0)),
        (QueueFilter.UNREVIEWED, (COUNT - 4, 0, COUNT - 4, 2)),
    ):
        state = review.queue(school.educator, upload_id, only=only)
        assert (state.total, state.reviewed, state.left, state.flagged) == counts, only


def test_pace_is_the_actors_own_without_breaks(school: School, upload_id: str) -> None:
    review, ids = school.services.review, school.response_ids(upload_id)
    assert review.queue(school.educator, upload_id).seconds_per_answer is None
    for number, i in enumerate(ids[:6]):
        review.decide(school.educator, i, 0, {"heat": 1, "claim": 1}, f"n{number}")
    pauses = [0, 10, 12, 3600, 14, 12]
    with school.database.write() as session:
        rows = session.scalars(select(HumanScoreRow).order_by(HumanScoreRow.id)).all()
        at = tables.utc_now()
        for pause, pair in zip(pauses, zip(rows[::2], rows[1::2], strict=True), strict=True):
            at += timedelta(seconds=pause)
            for row in pair:
                row.created_at = at
    state = review.queue(school.educator, upload_id)
    assert state.seconds_per_answer == pytest.approx(12)
    assert state.seconds_left == pytest.approx(12 * (COUNT - 6))
    assert review.queue(school.administrator, upload_id).seconds_per_answer is None


def test_search_finds_words_in_any_spelling_and_signs_as_they_are(school: School) -> None:
    upload_id = school.upload(
        [("s1", "Ann", "Das Eis ÄNDERT sich."), ("s2", "Ben", "100% of it melts_away"), ("x3", "Zoë", "nothing")]
    )
    ids, search = school.response_ids(upload_id), school.services.review.search
    found = lambda words: [hit.id for hit in search(school.educator, upload_id, words)]  # noqa: E731
    assert found("ändert eis") == ids[:1]
    assert found("100%") == found("MELTS_") == ids[1:2]
    assert found("%") == ids[1:2]
    assert found("zoë") == found("X3") == ids[2:]
    assert found("eis melts") == found("") == []
    assert len(search(school.educator, upload_id, "s", limit=1)) == 1
    (hit,) = search(school.educator, upload_id, "away")
    assert (hit.learner, hit.row, hit.snippet) == ("s2", 3, "100% of it melts_away")


def test_jump_by_identifier_or_row(school: School) -> None:
    upload_id = school.upload([("7", "Ann", "One."), ("s2", "Ben", "Two.")])
    ids, jump = school.response_ids(upload_id), school.services.review.jump
    assert jump(school.educator, upload_id, " S2 ") == ids[1]
    assert jump(school.educator, upload_id, "7") == ids[0], "identifiers come before rows"
    assert jump(school.educator, upload_id, "row 3") == jump(school.educator, upload_id, "3") == ids[1]
    for nowhere in ("", "99", "s9", "9" * 30, "row", "²"):
        with pytest.raises(NotFound, match="row or identifier"):
            jump(school.educator, upload_id, nowhere)


def test_no_step_of_a_review_reads_a_whole_upload(school: School, upload_id: str) -> None:
    review, ids = school.services.review, school.response_ids(upload_id)
    asked: list[tuple[str, Any]] = []

    def keep(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE")):
            asked.append((statement, parameters[0] if many else parameters))

    event.listen(school.database.engine, "before_cursor_execute", keep)
    for order in QueueOrder:
        for unreviewed_only in (True, False):
            for direction in (1, -1):
                review.next(
                    school.educator, upload_id, order, ids[7], direction=direction, unreviewed_only=unreviewed_only
                )
        review.window(school.educator, upload_id, order, ids[7])
    review.queue(school.educator, upload_id)
    review.response(school.educator, ids[7])
    review.decide(school.educator, ids[7], 0, {"heat": 1, "claim": 1}, "n", "why")
    review.undo_last(school.educator, upload_id, "u", 0)
    review.redo_last(school.educator, upload_id, "r", 0)
    review.claim(school.educator, ids[7])
    event.remove(school.database.engine, "before_cursor_execute", keep)
    assert len(asked) > 100
    with school.database.read() as session:
        for statement, parameters in asked:
            plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = [row[3] for row in plan]
            for step in steps:
                for table in ("responses", "human_scores", "machine_scores", "audit_events", "response_flags"):
                    assert not step.startswith(f"SCAN {table}"), (statement, steps)
            if "ORDER BY responses" in statement and "LIMIT" in statement:
                assert not any("TEMP B-TREE" in step for step in steps), (statement, steps)
