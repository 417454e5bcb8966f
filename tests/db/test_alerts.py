"""Urgent signs are raised once, told to the right people, every look is on record, and no score is touched."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from db.tables import AuditEvent, Response, UrgentAlert
from scoring.checks.locating import locate
from scoring.checks.urgent import UrgentKind, UrgentSign, plain_text, urgent_signs
from scoring.errors import Conflict, InvalidInput, NotFound
from scoring.services.actors import Actor
from scoring.services.alerts import merged, raise_alerts
from scoring.services.audit import AuditFilter
from scoring.services.rules import ALERTS
from scoring.worker.checking import raise_urgent
from tests.conftest import School

PLAIN = "Heat moves from the plate to the ice."
DARK = "Heat moves.\nI don't want to be alive anymore, nobody knows."
TWOFOLD = "my stepdad hits me when he is drunk. i want to kill myself"
ROWS = [("s1", "Ann", PLAIN), ("s2", "Ben", DARK), ("s3", "Cy", TWOFOLD)]


@pytest.fixture
def raised(school: School) -> list[int]:
    """Three answers, two of them with signs; their ids."""
    upload = school.upload(ROWS)
    raise_urgent(school.database, upload)
    return school.response_ids(upload)


def rows(school: School) -> list[tuple[int, str]]:
    with school.database.read() as session:
        found = session.execute(select(UrgentAlert.response_id, UrgentAlert.kind).order_by(UrgentAlert.id))
        return [(response, kind) for response, kind in found]


def actions(school: School, action: str) -> list[tuple[int | None, str]]:
    events, _ = school.services.audit.events(school.administrator, AuditFilter(action), limit=1000)
    return [(event.actor_id, event.object_id) for event in reversed(events)]


def told(school: School, *people: Actor) -> None:
    school.services.rules.change(school.administrator, ALERTS, {"people": [person.user_id for person in people]})


# Raising


def test_each_kind_of_sign_is_raised_once_however_often_one_looks(school: School, raised: list[int]) -> None:
    _, dark, twofold = raised
    expected = [(dark, "self_harm"), (twofold, "self_harm"), (twofold, "abuse")]
    assert rows(school) == expected
    with school.database.write() as session:
        assert raise_alerts(session, [(dark, DARK), (twofold, TWOFOLD)]) == 0
    assert rows(school) == expected
    assert actions(school, "alert.raise") == [(None, str(dark)), (None, str(twofold))]


def test_a_sign_that_shows_later_is_raised_beside_the_earlier(school: School, raised: list[int]) -> None:
    _, dark, _ = raised
    school.services.alerts.handle(school.educator, dark, "Spoke with Ben.")
    with school.database.write() as session:
        assert raise_alerts(session, [(dark, TWOFOLD)]) == 1
    [alert] = [a for a in school.services.alerts.all(school.educator)[0] if a.response_id == dark]
    assert alert.kinds == ("abuse", "self_harm")
    assert (alert.handled_at, alert.note) == (None, "")


def test_nothing_is_kept_of_a_transaction_that_fails(school: School) -> None:
    response = school.response_ids(school.upload(ROWS))[1]

    def fail() -> None:
        with school.database.write() as session:
            raise_alerts(session, [(response, DARK)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert rows(school) == []
    assert actions(school, "alert.raise") == []


def test_no_score_no_flag_and_no_text_of_it_shows_elsewhere(school: School, raised: list[int]) -> None:
    before = school.services.scores.table(school.educator, school.services.uploads.recent(school.educator)[0][0].id)
    assert set(before.frame["flags"]) == {""}
    assert school.count("human_scores") == school.count("machine_scores") == 0
    with school.database.read() as session:
        log = json.dumps([[e.action, e.object_id, e.detail] for e in session.scalars(select(AuditEvent))])
    for word in ("alive", "stepdad", "self_harm", "abuse", "Ben"):
        assert word not in log


# Where it stands


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (DARK, "don't want to be alive"),
        ("It melts. I wanna k1ll mysellf!! ok", "k1ll mysellf!!"),
        ("ice melts\n\n  i   want to\tdie  \n", "want to\tdie"),
        ("kms", "kms"),
    ],
)
def test_the_words_of_a_sign_are_found_in_the_text_as_typed(text: str, found: str) -> None:
    [sign] = urgent_signs(text)
    start, end = locate(text, sign)
    assert found in text[start:end]
    assert len(text[start:end]) <= len(found) + 8


def test_words_that_are_nowhere_mark_all_of_the_text() -> None:
    assert locate(PLAIN, UrgentSign(UrgentKind.THREAT, "blow up the school")) == (0, len(PLAIN))
    assert locate("", UrgentSign(UrgentKind.THREAT, "x")) == (0, 0)


@settings(max_examples=60, deadline=None)
@given(before=st.text(max_size=60), after=st.text(max_size=60))
def test_a_sign_keeps_its_place_whatever_stands_around_it(before: str, after: str) -> None:
    text = f"{before}. i want to kill myself . {after}"
    for sign in urgent_signs(text):
        start, end = locate(text, sign)
        assert sign.words in plain_text(text[start:end])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 6)).map(lambda pair: (pair[0], sum(pair))), max_size=8))
def test_merged_spans_cover_the_same_characters_and_lie_apart(spans: list[tuple[int, int]]) -> None:
    result = merged(spans)
    assert {i for a, b in spans for i in range(a, b)} == {i for a, b in result for i in range(a, b)}
    assert all(one[1] < other[0] for one, other in pairwise(result))


# Who is told


def test_the_sections_educators_are_told_and_others_are_not(school: School, raised: list[int]) -> None:
    alerts = school.services.alerts
    assert alerts.waiting(school.educator) == 2
    assert (alerts.waiting(school.stranger), alerts.waiting(school.administrator)) == (0, 0)
    listed, total = alerts.all(school.educator)
    assert (total, [alert.learner for alert in listed]) == (2, ["s3", "s2"])
    newest = listed[0]
    assert (newest.section, newest.task, newest.told) == ("Period 1", "Why does ice melt?", ("Edna Educator",))
    assert (newest.mine, newest.kinds) == (True, ("abuse", "self_harm"))
    assert alerts.all(school.stranger) == ([], 0)
    for call in (
        lambda: alerts.read(school.stranger, raised[1], "look"),
        lambda: alerts.handle(school.administrator, raised[1], "done"),
        lambda: alerts.reopen(school.stranger, raised[1]),
        lambda: alerts.read(school.educator, raised[0], "look"),
    ):
        with pytest.raises(NotFound, match="no such alert"):
            call()


def test_people_whom_the_house_names_are_told_of_every_section(school: School, raised: list[int]) -> None:
    alerts, sam = school.services.alerts, school.stranger
    told(school, sam)
    assert alerts.waiting(sam) == 2
    [first, _], _ = alerts.all(sam)
    assert first.told == ("Edna Educator", "Sam Stranger")
    assert not first.mine, "the upload itself stays the section's"
    assert alerts.read(sam, raised[1], "look").text == DARK
    with pytest.raises(NotFound):
        school.services.review.response(sam, raised[1])
    told(school)
    assert alerts.waiting(sam) == 0


def test_somebody_who_comes_to_a_section_is_told_and_somebody_who_left_is_not(
    school: School, raised: list[int]
) -> None:
    school.services.sections.share(school.educator, school.section, "sam@school.example")
    assert school.services.alerts.waiting(school.stranger) == 2


def test_where_nobody_is_left_to_be_told_administrators_are(school: School, raised: list[int]) -> None:
    alerts, admin = school.services.alerts, school.administrator
    told(school, school.stranger)
    school.services.accounts.set_active(admin, school.educator.user_id, False)
    assert alerts.waiting(admin) == 0, "the named person can still read it"
    school.services.accounts.set_active(admin, school.stranger.user_id, False)
    assert alerts.waiting(admin) == 2
    [first, _], _ = alerts.all(admin)
    assert first.told == ("Ada Admin",)
    assert alerts.read(admin, raised[1], "look").text == DARK


# Reading and dealing with it


def test_every_look_is_on_record_and_drawing_again_is_the_same_look(school: School, raised: list[int]) -> None:
    alerts, edna = school.services.alerts, school.educator
    for look in ("one", "one", "two", "one"):
        answer = alerts.read(edna, raised[1], look)
    [(start, end)] = answer.signs
    assert "want to be alive" in answer.text[start:end]
    assert end - start < 30
    assert actions(school, "alert.read") == [(edna.user_id, str(raised[1]))] * 2
    for _ in range(3):
        alerts.all(edna)
    assert actions(school, "alert.list") == [(edna.user_id, "list")]
    assert school.services.audit.verify(school.administrator).intact


def test_signs_of_two_kinds_are_marked_together(school: School, raised: list[int]) -> None:
    answer = school.services.alerts.read(school.educator, raised[2], "look")
    marked = [answer.text[start:end] for start, end in answer.signs]
    assert len(marked) == 2
    assert marked[0] in TWOFOLD.split(". ")[0] + "."
    assert marked[1] == "kill myself"


def test_dealing_with_it_needs_a_note_and_keeps_who_and_when(school: School, raised: list[int]) -> None:
    alerts, edna = school.services.alerts, school.educator
    for note in ("", "  \n", "x" * 2_001):
        with pytest.raises(InvalidInput, match="what was done"):
            alerts.handle(edna, raised[1], note)
    alerts.handle(edna, raised[1], " Talked with Ben and the counsellor. ")
    assert alerts.waiting(edna) == 1
    [alert], total = alerts.all(edna, handled=True)
    assert (total, alert.note, alert.handled_by) == (1, "Talked with Ben and the counsellor.", "Edna Educator")
    assert alert.handled_at is not None
    assert [a.response_id for a in alerts.all(edna)[0]] == [raised[2]]
    assert actions(school, "alert.handle") == [(edna.user_id, str(raised[1]))]
    alerts.reopen(edna, raised[1])
    assert alerts.waiting(edna) == 2
    assert alerts.all(edna, handled=True) == ([], 0)


def test_two_people_who_deal_with_it_at_once_leave_one_note(school: School, raised: list[int]) -> None:
    told(school, school.stranger)

    def handle(actor: Actor) -> str:
        try:
            school.services.alerts.handle(actor, raised[1], f"by {actor.name}")
        except Conflict:
            return ""
        return f"by {actor.name}"

    with ThreadPoolExecutor(2) as pool:
        saved = [note for note in pool.map(handle, (school.educator, school.stranger)) if note]
    [alert], _ = school.services.alerts.all(school.educator, handled=True)
    assert saved == [alert.note]


def test_an_answer_that_is_erased_takes_its_alert_along(school: School, raised: list[int]) -> None:
    with school.database.write() as session:
        session.delete(session.get_one(Response, raised[1]))
    assert school.services.alerts.waiting(school.educator) == 1
    with pytest.raises(NotFound):
        school.services.alerts.read(school.educator, raised[1], "look")


def test_the_list_comes_in_pages(school: School) -> None:
    upload = school.upload([(f"s{n}", "", f"{n} i want to kill myself") for n in range(7)])
    raise_urgent(school.database, upload)
    alerts = school.services.alerts
    seen = []
    for offset in range(0, 9, 3):
        page, total = alerts.all(school.educator, limit=3, offset=offset)
        assert total == 7
        seen += [alert.response_id for alert in page]
    assert sorted(seen) == school.response_ids(upload)
