"""Sittings: undo and redo back to their start, groups as one, and two people at once."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update

from db.tables import Response
from scoring.domain import HumanScoreKind
from scoring.errors import Conflict, EvenhandError, InvalidInput, NotFound, NotSignedIn
from scoring.services.audit import AuditFilter
from scoring.services.review import StaleDecision
from tests.conftest import School

BOTH = {"heat": 1, "claim": 1}


@pytest.fixture
def upload_id(school: School) -> str:
    """Five answers on which the machine says heat 1, claim 1; the first three say the same."""
    upload_id = school.upload([(f"s{n}", f"Name {n}", f"Answer {n}.") for n in range(5)])
    ids = school.response_ids(upload_id)
    for i in ids:
        school.machine(i, BOTH)
    with school.database.write() as session:
        session.execute(update(Response).where(Response.id.in_(ids[:3])).values(alike_group="same"))
    return upload_id


def _levels(school: School, response_id: int) -> list[tuple[int | None, str]]:
    view = school.services.review.response(school.educator, response_id)
    return [(part.final.level, part.final.source) for part in view.criteria]


MACHINE = [(1, "machine"), (1, "machine")]


# Sittings ---------------------------------------------------------------------------------------------


def test_undo_and_redo_go_back_to_the_start_of_the_sitting_and_no_further(school: School, upload_id: str) -> None:
    review, edna, ids = school.services.review, school.educator, school.response_ids(upload_id)
    review.decide(edna, ids[4], 0, BOTH, "yesterday")
    since = review.queue(edna, upload_id).mark
    for number, i in enumerate(ids[:3]):
        review.decide(edna, i, 0, {"heat": number, "claim": 1}, f"n{number}", "why")
    assert [review.undo_last(edna, upload_id, f"u{n}", since) for n in range(3)] == [ids[2], ids[1], ids[0]]
    with pytest.raises(Conflict, match="in this sitting is left to take back"):
        review.undo_last(edna, upload_id, "u3", since)
    assert [_levels(school, i) for i in ids[:3]] == [MACHINE] * 3
    assert _levels(school, ids[4]) == [(1, "confirm"), (1, "confirm")]
    assert [review.redo_last(edna, upload_id, f"r{n}", since) for n in range(3)] == [ids[0], ids[1], ids[2]]
    with pytest.raises(Conflict, match="left to put back"):
        review.redo_last(edna, upload_id, "r3", since)
    assert [_levels(school, i)[0][0] for i in ids[:3]] == [0, 1, 2]
    entry = review.response(edna, ids[0]).criteria[0].history[-1]
    assert (entry.kind, entry.level, entry.reason) == (HumanScoreKind.OVERRIDE, 0, "why")


def test_a_new_decision_leaves_nothing_to_put_back(school: School, upload_id: str) -> None:
    review, edna, ids = school.services.review, school.educator, school.response_ids(upload_id)
    review.decide(edna, ids[0], 0, BOTH, "n0")
    review.undo_last(edna, upload_id, "u", 0)
    review.decide(edna, ids[1], 0, BOTH, "n1")
    with pytest.raises(Conflict, match="left to put back"):
        review.redo_last(edna, upload_id, "r", 0)


def test_a_colleagues_decision_is_not_overwritten_by_putting_back(school: School, upload_id: str) -> None:
    review, ids = school.services.review, school.response_ids(upload_id)
    review.decide(school.educator, ids[0], 0, {"heat": 2, "claim": 1}, "n0", "why")
    review.undo_last(school.educator, upload_id, "u", 0)
    review.decide(school.administrator, ids[0], 2, BOTH, "n1")
    with pytest.raises(StaleDecision) as refused:
        review.redo_last(school.educator, upload_id, "r", 0)
    assert [part.final.level for part in refused.value.now.criteria] == [1, 1]
    assert _levels(school, ids[0]) == [(1, "confirm"), (1, "confirm")]


def test_undo_stays_within_the_upload_and_with_ones_own(school: School, upload_id: str) -> None:
    review, ids = school.services.review, school.response_ids(upload_id)
    other = school.upload(token="other")
    there = school.response_ids(other)[0]
    review.decide(school.educator, ids[0], 0, BOTH, "n0")
    review.decide(school.educator, there, 0, BOTH, "n1")
    review.decide(school.administrator, ids[1], 0, BOTH, "n2")
    assert review.undo_last(school.educator, upload_id, "u", 0) == ids[0]
    with pytest.raises(Conflict, match="left to take back"):
        review.undo_last(school.educator, upload_id, "u2", 0)
    with pytest.raises(Conflict):
        review.undo_last(school.educator, other, "u", 0)  # the press belongs to the other upload
    assert review.response(school.educator, there).reviewed


def test_a_clock_that_jumps_back_changes_no_order(school: School, upload_id: str) -> None:
    review, edna, ids = school.services.review, school.educator, school.response_ids(upload_id)
    since = review.queue(edna, upload_id).mark
    review.decide(edna, ids[0], 0, {"heat": 0, "claim": 1}, "n0", "first")
    review.decide(edna, ids[1], 0, BOTH, "n1")
    review.decide(edna, ids[0], 1, {"heat": 2, "claim": 1}, "n2", "second")
    school.machine(ids[2], {"heat": 2, "claim": 0}, job_id="again")
    with school.database.write() as session:
        for table, newest in (("human_scores", "nonce = 'n2'"), ("machine_scores", "job_id = 'again'")):
            session.connection().exec_driver_sql(f"UPDATE {table} SET created_at = '2001-01-01' WHERE {newest}")
    assert _levels(school, ids[0])[0] == (2, "override")
    assert _levels(school, ids[2]) == [(2, "machine"), (0, "machine")]
    undone = [review.undo_last(edna, upload_id, f"u{n}", since) for n in range(3)]
    assert undone == [ids[0], ids[1], ids[0]]
    assert review.queue(edna, upload_id).seconds_per_answer is None


def test_answers_of_several_uploads_are_not_shown_as_one(school: School, upload_id: str) -> None:
    review, first = school.services.review, school.response_ids(upload_id)[0]
    other = school.response_ids(school.upload(token="other"))[0]
    views = review.responses(school.educator, school.response_ids(upload_id))
    assert views == [review.response(school.educator, i) for i in school.response_ids(upload_id)]
    assert review.responses(school.educator, []) == []
    with pytest.raises(InvalidInput, match="several uploads"):
        review.responses(school.educator, [first, other])


@pytest.mark.parametrize("nonce", ["", "x" * 65])
def test_a_nonce_that_cannot_be_kept_is_refused(school: School, upload_id: str, nonce: str) -> None:
    first = school.response_ids(upload_id)[0]
    with pytest.raises(InvalidInput, match="nonce"):
        school.services.review.decide(school.educator, first, 0, BOTH, nonce)


# What stands is shown ---------------------------------------------------------------------------------


def test_a_refused_decision_brings_what_stands_now(school: School, upload_id: str) -> None:
    review, first = school.services.review, school.response_ids(upload_id)[0]
    review.decide(school.administrator, first, 0, {"heat": 2, "claim": 1}, "n0", "uses the table")
    with pytest.raises(StaleDecision, match="Somebody decided") as refused:
        review.decide(school.educator, first, 0, {"heat": 0}, "n1")
    now = refused.value.now
    assert now == review.response(school.educator, first)
    assert now.criteria[0].history[-1].rater == "Ada Admin"


def test_in_a_second_tab_one_is_told_that_it_was_oneself(school: School, upload_id: str) -> None:
    review, first = school.services.review, school.response_ids(upload_id)[0]
    review.decide(school.educator, first, 0, BOTH, "tab one")
    with pytest.raises(StaleDecision, match="You decided on this response in another window"):
        review.decide(school.educator, first, 0, BOTH, "tab two")


def test_a_rater_who_was_removed_in_mid_review_saves_nothing_more_and_loses_nothing(
    school: School, upload_id: str
) -> None:
    review, ids = school.services.review, school.response_ids(upload_id)
    review.decide(school.educator, ids[0], 0, BOTH, "n0")
    review.claim(school.educator, ids[1])
    assert review.response(school.administrator, ids[1]).claimed_by == "Edna Educator"
    school.services.accounts.set_active(school.administrator, school.educator.user_id, False)
    for act in (
        lambda: review.decide(school.educator, ids[1], 0, BOTH, "n1"),
        lambda: review.undo_last(school.educator, upload_id, "u", 0),
    ):
        with pytest.raises(NotSignedIn):
            act()
    view = review.response(school.administrator, ids[0])
    assert view.reviewed
    assert view.criteria[0].history[0].rater == "Edna Educator"
    assert review.response(school.administrator, ids[1]).claimed_by is None


def test_a_rubric_that_changes_in_mid_review_leaves_responses_with_theirs(school: School, upload_id: str) -> None:
    review, first = school.services.review, school.response_ids(upload_id)[0]
    with school.database.write() as session:
        session.connection().exec_driver_sql(
            "INSERT INTO task_versions (task_id, number, title, content, figure, content_hash, created_at) "
            "SELECT task_id, 2, 'New', content, figure, 'x', created_at FROM task_versions WHERE id = ?",
            (school.version,),
        )
        session.connection().exec_driver_sql(
            "INSERT INTO criteria (task_version_id, position, key, name, description)"
            " SELECT (SELECT max(id) FROM task_versions), 1, 'heat', 'Heat only', ''"
        )
    view = review.decide(school.educator, first, 0, BOTH, "n")
    assert view.task.title == "Why does ice melt?"
    assert view.reviewed
    assert review.queue(school.educator, upload_id).reviewed == 1


def test_reasons_come_from_the_short_list_or_in_words(school: School, upload_id: str) -> None:
    review, ids = school.services.review, school.response_ids(upload_id)
    view = review.response(school.educator, ids[0])
    given = review.decide(school.educator, ids[0], 0, {"heat": 2}, "n0", reason_kind=view.reasons[0])
    assert given.criteria[0].history[0].reason_kind == view.reasons[0]
    for levels in ({"heat": 2}, {"heat": 1}):
        with pytest.raises(InvalidInput, match="not among the reasons"):
            review.decide(school.educator, ids[1], 0, levels, "n1", "in words", reason_kind="made up")


# Groups -----------------------------------------------------------------------------------------------


def test_a_group_is_decided_and_taken_back_and_put_back_as_one(school: School, upload_id: str) -> None:
    review, edna, ids = school.services.review, school.educator, school.response_ids(upload_id)
    members = review.group(edna, ids[1])
    assert [(m.id, m.learner, dict(m.machine), m.reviewed) for m in members] == [
        (ids[1], "s1", BOTH, False), (ids[0], "s0", BOTH, False), (ids[2], "s2", BOTH, False),
    ]  # fmt: skip
    revisions = {m.id: m.revision for m in members}
    seen = {m.id: m.machine for m in members}
    with pytest.raises(InvalidInput, match="Say why"):
        review.decide_group(edna, ids[1], revisions, {"heat": 2}, "g0")
    decided = review.decide_group(edna, ids[1], revisions, {"heat": 2, "claim": 1}, "g", "names it", "", seen)
    assert decided == [ids[1], ids[0], ids[2]]
    assert review.decide_group(edna, ids[1], revisions, {"heat": 2, "claim": 1}, "g", "names it") == decided
    for i in ids[:3]:
        assert _levels(school, i) == [(2, "group"), (1, "group")]
    assert review.queue(edna, upload_id).reviewed == 3
    assert review.undo_last(edna, upload_id, "u", 0) == ids[1]
    assert [_levels(school, i) for i in ids] == [MACHINE] * 5
    assert review.redo_last(edna, upload_id, "r", 0) == ids[1]
    assert [_levels(school, i)[0] for i in ids[:4]] == [(2, "group")] * 3 + [(1, "machine")]
    view = review.undo(edna, ids[2], review.response(edna, ids[2]).revision, "u2")
    assert not view.may_undo
    assert [_levels(school, i) for i in ids] == [MACHINE] * 5


def test_one_stale_answer_holds_the_whole_group_back(school: School, upload_id: str) -> None:
    review, ids = school.services.review, school.response_ids(upload_id)
    review.decide(school.administrator, ids[2], 0, {"heat": 0, "claim": 1}, "n", "no heat")
    before = school.counts()
    with pytest.raises(StaleDecision) as refused:
        review.decide_group(school.educator, ids[0], dict.fromkeys(ids[:3], 0), BOTH, "g")
    assert refused.value.now.id == ids[2]
    changed = {i: dict(BOTH) for i in ids[:3]} | {ids[1]: {"heat": 0, "claim": 0}}
    revisions = {ids[0]: 0, ids[1]: 0, ids[2]: 1}
    with pytest.raises(Conflict, match="scored this response again"):
        review.decide_group(school.educator, ids[0], revisions, BOTH, "g", machine_seen=changed)
    assert school.counts() == before
    assert _levels(school, ids[0]) == MACHINE


def test_only_answers_that_say_the_same_are_decided_together(school: School, upload_id: str) -> None:
    review, ids = school.services.review, school.response_ids(upload_id)
    elsewhere = school.response_ids(school.upload(token="other"))[0]
    for stranger in (ids[3], elsewhere, 9_999):
        with pytest.raises(InvalidInput, match="say the same"):
            review.decide_group(school.educator, ids[0], {ids[0]: 0, stranger: 0}, BOTH, "g")
    with pytest.raises(InvalidInput, match="say the same"):
        review.decide_group(school.educator, ids[3], {ids[3]: 0, ids[4]: 0}, BOTH, "g")
    assert school.count("human_scores") == 0


def test_a_later_decision_on_one_answer_outlives_the_groups(school: School, upload_id: str) -> None:
    review, edna, ids = school.services.review, school.educator, school.response_ids(upload_id)
    review.decide_group(edna, ids[0], dict.fromkeys(ids[:3], 0), BOTH, "g")
    review.decide(edna, ids[1], 1, {"heat": 0}, "n", "not here")
    review.undo(edna, ids[0], 1, "u")
    assert _levels(school, ids[1]) == [(0, "override"), (1, "machine")]
    assert _levels(school, ids[0]) == _levels(school, ids[2]) == MACHINE


def test_inconsistent_scores_are_listed_and_reconciled_as_one(school: School, upload_id: str) -> None:
    review, edna, ids = school.services.review, school.educator, school.response_ids(upload_id)
    assert review.inconsistencies(edna, upload_id) == []
    for number, (i, heat) in enumerate(zip(ids, (1, 0, 1, 0, 2), strict=True)):
        review.decide(edna, i, 0, {"heat": heat, "claim": 1}, f"n{number}", "why")
    (pair,) = review.inconsistencies(edna, upload_id)
    assert (pair.usual.id, pair.other.id, pair.criteria) == (ids[0], ids[1], ("heat",))
    assert (dict(pair.usual.levels), dict(pair.other.levels)) == ({"heat": 1, "claim": 1}, {"heat": 0, "claim": 1})
    revisions = {m.id: m.revision for m in (pair.usual, pair.other)}
    assert review.reconcile(edna, revisions, {"heat": 1}, "r") == [ids[0], ids[1]]
    assert review.inconsistencies(edna, upload_id) == []
    review.undo_last(edna, upload_id, "u", 0)
    assert review.inconsistencies(edna, upload_id)[0].other.id == ids[1]
    with pytest.raises(InvalidInput, match="two answers"):
        review.reconcile(edna, {ids[0]: 2}, {"heat": 1}, "r2")


def test_an_answer_that_nobody_scored_is_no_inconsistency(school: School, upload_id: str) -> None:
    review, ids = school.services.review, school.response_ids(upload_id)
    review.decide(school.educator, ids[0], 0, {"heat": 0, "claim": 1}, "n", "why")
    assert review.inconsistencies(school.educator, upload_id) == []
    with pytest.raises(InvalidInput, match="Only answers that somebody has scored"):
        review.reconcile(school.educator, {ids[0]: 1, ids[1]: 0}, {"heat": 1}, "r")


# Beside the decision ----------------------------------------------------------------------------------


def test_flags_comments_and_claims_belong_to_their_answer(school: School, upload_id: str) -> None:
    review, edna, ids = school.services.review, school.educator, school.response_ids(upload_id)
    review.flag(edna, ids[0], True, " ask Ada ")
    review.comment(edna, ids[0], None, "Well argued.", "c1")
    review.comment(edna, ids[0], "heat", "Name the plate.", "c2")
    review.comment(edna, ids[0], "heat", "Name the plate.", "c2")  # a double click
    with pytest.raises(Conflict):
        review.comment(edna, ids[1], "heat", "Name the plate.", "c2")
    view = review.response(school.administrator, ids[0])
    assert (view.flagged, view.flag_note) == (True, "ask Ada")
    assert dict(view.comments) == {"": "Well argued.", "heat": "Name the plate."}
    review.comment(school.administrator, ids[0], "heat", "", "c3")
    review.flag(edna, ids[0], False)
    review.flag(edna, ids[0], False)
    view = review.response(edna, ids[0])
    assert (view.flagged, dict(view.comments)) == (False, {"": "Well argued."})
    untouched = review.response(edna, ids[1])
    assert (untouched.flagged, dict(untouched.comments)) == (False, {})
    assert school.count("comments") == 3
    with pytest.raises(InvalidInput, match="no such criterion"):
        review.comment(edna, ids[0], "style", "x", "c4")


def test_a_claim_warns_others_until_it_lapses_and_locks_nothing(school: School, upload_id: str) -> None:
    review, first = school.services.review, school.response_ids(upload_id)[0]
    assert review.claim(school.educator, first) is None
    assert review.claim(school.educator, first) is None, "renewed, or one's other tab"
    assert review.claim(school.administrator, first) == "Edna Educator"
    assert review.response(school.administrator, first).claimed_by == "Edna Educator"
    assert review.response(school.educator, first).claimed_by is None
    review.decide(school.administrator, first, 0, BOTH, "n")
    review.release(school.administrator, first)
    assert review.claim(school.administrator, first) == "Edna Educator", "somebody else's claim is not theirs to end"
    with school.database.write() as session:
        session.connection().exec_driver_sql("UPDATE claims SET until = '2026-01-01 00:00:00'")
    assert review.claim(school.administrator, first) is None
    assert review.claim(school.educator, first) == "Ada Admin"
    review.release(school.administrator, first)
    assert review.claim(school.educator, first) is None


# Privacy requests -------------------------------------------------------------------------------------


def test_an_erased_answer_leaves_ids_in_the_log_and_nothing_else(school: School) -> None:
    secret = "My sister Griselda melts the ice."
    upload_id = school.upload([("s1", "Ann", secret), ("s2", "Ben", "Heat."), ("s2", "Ben", "Heat again.")])
    review, edna, ids = school.services.review, school.educator, school.response_ids(upload_id)
    for i in ids:
        school.machine(i, BOTH)
    review.decide(edna, ids[0], 0, {"heat": 2, "claim": 1}, "n", "Griselda is named")
    review.comment(edna, ids[0], None, "Say hello to Griselda.", "c")
    review.flag(edna, ids[0], True, "Griselda")
    stamp = school.services.scores.stamp(edna, upload_id)
    review.erase_response(edna, ids[0])
    for look in (
        lambda: review.response(edna, ids[0]),
        lambda: review.decide(edna, ids[0], 1, BOTH, "n2"),
        lambda: review.undo(edna, ids[0], 1, "u"),
        lambda: review.comment(edna, ids[0], None, "x", "c2"),
    ):
        with pytest.raises(NotFound, match="may have been erased meanwhile; go on with another one"):
            look()
    with pytest.raises(Conflict):
        review.undo_last(edna, upload_id, "u", 0)
    with school.database.engine.connect() as connection:
        for (table,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").all():
            rows = str(connection.exec_driver_sql(f'SELECT * FROM "{table}"').all())
            assert "Griselda" not in rows, table
    for file in school.services.settings.data_dir.glob("evenhand.db*"):
        assert b"Griselda" not in file.read_bytes(), file.name
    assert school.services.scores.stamp(edna, upload_id) != stamp
    assert list(school.services.scores.table(edna, upload_id).frame["response_id"]) == ids[1:]
    assert school.services.uploads.get(edna, upload_id).responses == 2
    with pytest.raises(NotFound, match="removed with an answer that was erased"):
        school.services.uploads.original(edna, upload_id)
    events, _ = school.services.audit.events(school.administrator, AuditFilter("response.erase"))
    assert [event.object_id for event in events] == [str(ids[0])]
    assert school.services.audit.verify(school.administrator).intact


def test_a_screen_of_an_erased_answer_never_decides_on_a_new_one(school: School) -> None:
    last = school.response_ids(school.upload([("s1", "Ann", "Heat.")]))[-1]
    school.services.review.erase_response(school.educator, last)
    new = school.response_ids(school.upload([("s2", "Ben", "Cold.")], token="new"))
    assert last not in new
    with pytest.raises(NotFound):
        school.services.review.decide(school.educator, last, 0, {"heat": 1}, "n")


# At the same moment -----------------------------------------------------------------------------------


def test_two_people_and_double_clicks_at_full_speed_lose_and_cross_nothing(school: School, upload_id: str) -> None:
    review, ids = school.services.review, school.response_ids(upload_id)
    raters = (school.educator, school.administrator)
    start = threading.Barrier(4)

    def work(number: int) -> list[tuple[int, int, int]]:
        chance, saved = random.Random(number), []
        start.wait(60)
        for turn in range(12):
            i, level = chance.choice(ids), chance.randint(0, 2)
            view = review.response(raters[number % 2], i)
            for _click in range(2):
                try:
                    review.decide(raters[number % 2], i, view.revision, {"heat": level}, f"{number}-{turn}", "why")
                except StaleDecision:
                    break
                except EvenhandError as error:
                    pytest.fail(str(error))
                else:
                    saved.append((i, number % 2, level))
        return saved[::2]  # two clicks, one decision

    with ThreadPoolExecutor(4) as pool:
        saved = sorted(entry for entries in pool.map(work, range(4)) for entry in entries)
    with school.database.read() as session:
        rows = session.connection().exec_driver_sql("SELECT response_id, rater_id, level FROM human_scores").all()
        names = {raters[0].user_id: 0, raters[1].user_id: 1}
        assert sorted((i, names[rater], level) for i, rater, level in rows) == saved
        revisions = dict(session.execute(select(Response.id, Response.revision)).all())
        assert sum(revisions.values()) == len(saved)
    assert saved
    assert school.services.audit.verify(school.administrator).intact
