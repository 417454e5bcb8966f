"""The audit log is one unbroken chain, and every way to change it shows."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from db.engine import Database
from db.tables import AuditEvent, AuditHead
from scoring.domain import Role
from scoring.services.audit import record, verify_chain
from tests.conftest import PASSWORD, School


def _append(database: Database, count: int) -> None:
    for number in range(count):
        with database.write() as session:
            record(session, number, "thing.do", "thing", number, count=number)


def test_an_empty_log_is_whole(fresh_db: Database) -> None:
    report = verify_chain(fresh_db)
    assert (report.intact, report.events) == (True, 0)


def test_the_chain_is_whole_after_a_day_at_school(school: School) -> None:
    services, admin, edna = school.services, school.administrator, school.educator
    upload = school.upload([("s1", "Ann", "Heat."), ("s2", "Ben", "")])
    first, _ = school.response_ids(upload)
    school.machine(first, {"heat": 1, "claim": 0})
    school.finish(upload)
    view = services.review.decide(edna, first, 0, {"heat": 2}, "n1", "names the plate")
    services.review.undo(edna, first, view.revision, "n2")
    services.uploads.score_again(edna, upload)
    services.uploads.cancel(edna, upload)
    services.scores.export(edna, upload)
    services.uploads.original(edna, upload)
    services.sections.rename(edna, school.section, "Period 9")
    services.sections.share(edna, school.section, "sam@school.example")
    services.sections.set_archived(edna, school.section, True)
    services.tasks.set_retired(admin, school.task, True)
    person, _ = services.accounts.add_person(admin, "New", "new@school.example", Role.EDUCATOR)
    services.accounts.set_role(admin, person.id, Role.ADMINISTRATOR)
    services.accounts.reset_password(admin, person.id)
    services.accounts.set_active(admin, person.id, False)
    services.accounts.sign_out(
        services.accounts.resume(services.accounts.sign_in("edna@school.example", PASSWORD, "a"))
    )
    report = services.audit.verify(admin)
    assert (report.intact, report.events) == (True, school.count("audit_events"))
    actions = {event.action for event in services.audit.events(admin, limit=1000)[0]}
    assert {
        "upload.submit", "response.decide", "response.undo", "upload.score_again", "upload.cancel", "scores.export",
        "upload.download_original", "section.rename", "section.share", "section.archive", "task.retire", "user.add",
        "user.set_role", "user.reset_password", "user.deactivate", "session.sign_in", "session.sign_out",
        "user.change_password", "user.set_up", "section.create", "itembank.load",
    } <= actions  # fmt: skip


def test_the_log_holds_no_names_texts_or_addresses(school: School) -> None:
    upload = school.upload([("secret-id", "Zaphod", "A very private answer.")], name="Zaphods class.csv")
    response = school.response_ids(upload)[0]
    school.machine(response, {"heat": 0, "claim": 0})
    school.services.review.decide(school.educator, response, 0, {"heat": 2}, "n", "a telling reason")
    school.services.scores.export(school.educator, upload)
    with school.database.read() as session:
        log = json.dumps([[e.action, e.object_id, e.detail] for e in session.scalars(select(AuditEvent))])
    for word in ("Zaphod", "secret-id", "private", "telling", "@school", "Edna", "Period"):
        assert word not in log


def _change_detail(session: Session) -> None:
    session.execute(text("UPDATE audit_events SET detail = '{\"count\": 99}' WHERE id = 3"))


def _change_time(session: Session) -> None:
    session.execute(text("UPDATE audit_events SET at = '2020-01-01 00:00:00.000000' WHERE id = 3"))


def _change_actor(session: Session) -> None:
    session.execute(text("UPDATE audit_events SET actor_id = NULL WHERE id = 3"))


def _remove_middle(session: Session) -> None:
    session.execute(delete(AuditEvent).where(AuditEvent.id == 3))


def _remove_middle_and_close_up(session: Session) -> None:
    _remove_middle(session)
    session.execute(text("UPDATE audit_events SET id = id - 1 WHERE id > 3"))


def _remove_first(session: Session) -> None:
    session.execute(delete(AuditEvent).where(AuditEvent.id == 1))


def _remove_last(session: Session) -> None:
    session.execute(delete(AuditEvent).where(AuditEvent.id == 5))


def _remove_all(session: Session) -> None:
    session.execute(delete(AuditEvent))


def _remove_head(session: Session) -> None:
    session.execute(delete(AuditHead))


def _swap(session: Session) -> None:
    for before, after in ((3, 99), (4, 3), (99, 4)):
        session.execute(text(f"UPDATE audit_events SET id = {after} WHERE id = {before}"))


@pytest.mark.parametrize(
    ("tamper", "broken_at"),
    [
        (_change_detail, 3), (_change_time, 3), (_change_actor, 3), (_remove_middle, 3),
        (_remove_middle_and_close_up, 3), (_remove_first, 1), (_remove_last, 5), (_remove_all, 5),
        (_remove_head, 5), (_swap, 3),
    ],
)  # fmt: skip
def test_a_change_to_the_log_is_found_where_it_was_made(
    fresh_db: Database, tamper: Callable[[Session], None], broken_at: int
) -> None:
    _append(fresh_db, 5)
    assert verify_chain(fresh_db).intact
    with fresh_db.write() as session:
        tamper(session)
    report = verify_chain(fresh_db)
    assert report.broken_at == broken_at
    assert report.reason


def test_an_event_vanishes_with_the_transaction_that_failed(fresh_db: Database) -> None:
    _append(fresh_db, 2)

    def fail() -> None:
        with fresh_db.write() as session:
            record(session, 1, "thing.do", "thing", 1)
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        fail()
    _append(fresh_db, 1)
    assert (verify_chain(fresh_db).intact, verify_chain(fresh_db).events) == (True, 3)


def test_several_events_in_one_transaction_follow_each_other(fresh_db: Database) -> None:
    with fresh_db.write() as session:
        for number in range(3):
            record(session, None, "thing.do", "thing", number)
    assert (verify_chain(fresh_db).intact, verify_chain(fresh_db).events) == (True, 3)


def test_threads_that_append_at_once_never_fork_the_chain(fresh_db: Database) -> None:
    start = threading.Barrier(4)

    def append(_number: int) -> None:
        start.wait(30)
        _append(fresh_db, 15)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(append, range(4)))
    assert (verify_chain(fresh_db).intact, verify_chain(fresh_db).events) == (True, 60)
    with fresh_db.read() as session:
        assert session.scalar(select(func.count(AuditEvent.previous_hash.distinct()))) == 60


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
_own_words = {"session", "actor_id", "action", "object_type", "object_id"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(detail=st.dictionaries(st.text().filter(lambda key: key not in _own_words), _json, max_size=5))
def test_any_detail_keeps_its_hash_through_the_database(fresh_db: Database, detail: dict[str, Any]) -> None:
    with fresh_db.write() as session:
        record(session, 7, "thing.do", "thing", "x", **detail)
    assert verify_chain(fresh_db).intact


def test_numbered_detail_keeps_its_hash_through_the_database(fresh_db: Database) -> None:
    with fresh_db.write() as session:
        record(session, 7, "thing.do", "thing", "x", levels={10: 1, 2: 0})
    assert verify_chain(fresh_db).intact


def test_events_come_in_pages_newest_first_and_by_action(school: School) -> None:
    audit, admin = school.services.audit, school.administrator
    every, total = audit.events(admin, limit=1000)
    assert [event.id for event in every] == list(range(total, 0, -1))
    page, same = audit.events(admin, limit=2, offset=1)
    assert (page, same) == (every[1:3], total)
    sections, count = audit.events(admin, action="section.")
    assert count == len(sections) == 2
    assert audit.events(admin, action="%")[1] == 0, "a sign of LIKE is a plain character"
