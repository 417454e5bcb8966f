"""The audit log is one unbroken chain, and every way to change it shows."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from db.engine import Database
from db.tables import AuditEvent, AuditHead, utc_now
from pages.components.audit_words import ACTIONS, KINDS
from scoring.domain import Role
from scoring.errors import InvalidInput
from scoring.services import audit as audit_service
from scoring.services.audit import SYSTEM, AuditFilter, record, verify_chain
from scoring.settings import ROOT
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
    sections, count = audit.events(admin, AuditFilter("section."))
    assert count == len(sections) == 2
    assert audit.events(admin, AuditFilter("%"))[1] == 0, "a sign of LIKE is a plain character"


def test_events_are_found_by_person_object_and_time(school: School) -> None:
    audit, admin, edna = school.services.audit, school.administrator, school.educator
    before = utc_now()
    upload = school.upload()
    after = utc_now()
    school.services.uploads.original(admin, upload)

    def actions(**only: Any) -> list[str]:
        return [event.action for event in audit.events(admin, AuditFilter(**only))[0]]

    assert actions(object_type="upload", object_id=upload) == ["upload.download_original", "upload.submit"]
    assert actions(object_type="upload", person=edna.user_id) == ["upload.submit"]
    assert actions(since=before, until=after) == ["upload.submit"]
    assert actions(since=after) == ["upload.download_original"]
    assert actions(action="upload.", person=school.stranger.user_id) == []
    assert set(actions(person=SYSTEM)) == {"itembank.load"}


def test_the_export_is_on_record_and_can_be_checked_without_the_program(school: School) -> None:
    audit, admin = school.services.audit, school.administrator
    school.upload()
    name, data = audit.export(admin)
    assert name.startswith("audit log ")
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert len(rows) - 1 == school.count("audit_events")
    assert rows[-1][3] == "audit.export"
    previous = "0" * 64
    for number, at, account, action, kind, thing, detail, before, seal in rows[1:]:
        content = [int(number), at, int(account) if account else None, action, kind, thing, json.loads(detail), before]
        assert before == previous
        assert seal == sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        previous = seal


def test_the_export_holds_what_was_asked_for_and_says_so(school: School) -> None:
    audit, admin = school.services.audit, school.administrator
    _, data = audit.export(admin, AuditFilter("section.", person=school.educator.user_id))
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert [(row["Action"], row["Account"]) for row in rows] == [("section.create", str(school.educator.user_id))]
    [event], _ = audit.events(admin, AuditFilter("audit.export"))
    assert event.detail == {"events": 1, "only": {"action": "section.", "person": str(school.educator.user_id)}}


def test_a_log_too_long_for_one_file_is_refused_with_the_remedy(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_service, "MOST_EXPORTED", 3)
    before = school.count("audit_events")
    with pytest.raises(InvalidInput, match="Choose a shorter time"):
        school.services.audit.export(school.administrator)
    assert school.count("audit_events") == before


def _looks(school: School) -> list[tuple[int | None, str, str]]:
    events, _ = school.services.audit.events(school.administrator, limit=1000)
    return [(e.actor_id, e.action, e.object_id) for e in reversed(events) if e.action.endswith(".see")]


def test_a_look_is_on_record_once_an_hour_by_person_and_object(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, edna, ada = school.services.looks, school.educator, school.administrator
    upload = school.upload()
    first, second = school.response_ids(upload)
    for _ in range(3):
        looks.upload(edna, upload)
        looks.response(edna, first)
    looks.response(edna, second)
    looks.response(ada, first)
    seen = [
        (edna.user_id, "upload.see", upload),
        (edna.user_id, "response.see", str(first)),
        (edna.user_id, "response.see", str(second)),
        (ada.user_id, "response.see", str(first)),
    ]
    assert _looks(school) == seen
    monkeypatch.setattr(audit_service, "utc_now", lambda: utc_now() + timedelta(minutes=59))
    looks.response(edna, first)
    assert _looks(school) == seen
    monkeypatch.setattr(audit_service, "utc_now", lambda: utc_now() + timedelta(minutes=61))
    looks.response(edna, first)
    assert _looks(school) == [*seen, (edna.user_id, "response.see", str(first))]
    assert school.services.audit.verify(ada).intact


def test_looks_of_many_tabs_at_once_are_one_event(school: School) -> None:
    upload = school.upload()
    first, _ = school.response_ids(upload)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: school.services.looks.response(school.educator, first), range(16)))
    assert len(_looks(school)) == 1


def test_every_recorded_action_has_words_on_the_screen() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "scoring").rglob("*.py")]
    recorded = {
        action
        for source in sources
        for call in re.findall(r"\b(?:record|record_look|_record)\(([^)]*)", source)
        for action in re.findall(r'"([a-z_]+\.[a-z_]+)"', call)
    }
    assert {"upload.submit", "response.see", "section.archive", "alert.read"} <= recorded
    assert recorded - set(ACTIONS) == set()
    assert [action for action in ACTIONS if not any(action.startswith(kind) for kind in KINDS if kind)] == []
