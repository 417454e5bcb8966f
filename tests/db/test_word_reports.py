"""Reports over many explanations: what they rest on, and what they must not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from db.tables import Explanation as Row
from db.tables import Response, ResponseGates, utc_now
from scoring.domain import UploadStatus
from scoring.errors import Conflict
from scoring.services import word_reports
from tests.conftest import School
from tests.db.test_explanations import CONTEXT, explanation


@pytest.fixture
def upload(school: School) -> str:
    """Six scored answers; heat 1, claim 0."""
    upload_id = school.upload([(f"s{i}", "", "Heat moves.") for i in range(6)])
    school.set_upload(upload_id, status=UploadStatus.DONE, student_version_id=1)
    for response_id in school.response_ids(upload_id):
        school.machine(response_id, {"heat": 1, "claim": 0})
    return upload_id


def rows(school: School) -> Sequence[Row]:
    with school.database.read() as session:
        return session.scalars(select(Row).order_by(Row.id)).all()


def explain(school: School, *response_ids: int) -> None:
    """What the worker would have stored."""
    content = {"explanation": explanation().to_json(), **CONTEXT}
    with school.database.write() as session:
        session.execute(
            update(Row).where(Row.response_id.in_(response_ids)).values(status="done", content=content, first=None)
        )


def test_a_report_grows_with_the_explanations(school: School, upload: str) -> None:
    reports, ids = school.services.word_reports, school.response_ids(upload)
    assert [c.id for c in reports.criteria(school.administrator, upload)] == ["heat", "claim"]
    state = reports.state(school.administrator, upload)
    assert (state.explained, state.wanted, state.running) == (0, 6, False)
    assert reports.explain_upload(school.administrator, upload) == 6
    assert reports.explain_upload(school.administrator, upload) == 0
    assert reports.state(school.administrator, upload).running
    explain(school, *ids[:4])
    state = reports.state(school.administrator, upload)
    assert (state.explained, state.running) == (4, True)
    words = reports.words(school.administrator, upload, "heat")
    assert words.answers == 4
    assert [effect.word for effect in words.up] == ["heat", "moves"]
    assert words.up[0].effect == pytest.approx(0.7)


def test_a_large_class_is_explained_in_part_and_the_same_part_each_time(
    school: School, upload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_reports, "MOST_EXPLAINED", 3)
    reports = school.services.word_reports
    assert reports.explain_upload(school.administrator, upload) == 3
    assert reports.explain_upload(school.administrator, upload) == 0
    assert reports.state(school.administrator, upload).wanted == 3


def test_what_failed_is_asked_for_again_and_what_was_stopped_is_forgotten(school: School, upload: str) -> None:
    reports, ids = school.services.word_reports, school.response_ids(upload)
    reports.explain_upload(school.administrator, upload)
    explain(school, ids[0])
    with school.database.write() as session:
        session.execute(update(Row).where(Row.response_id == ids[1]).values(status="failed", error="It went wrong."))
    assert reports.explain_upload(school.administrator, upload) == 1
    reports.stop(school.administrator, upload)
    assert [(row.response_id, row.status) for row in rows(school)] == [(ids[0], "done")]


def test_answers_that_are_to_be_scored_blind_are_neither_explained_nor_counted(school: School, upload: str) -> None:
    reports, ids = school.services.word_reports, school.response_ids(upload)
    reports.explain_upload(school.administrator, upload)
    explain(school, *ids)
    with school.database.write() as session:
        session.add_all(ResponseGates(response_id=i, student_version_id=1, weights=[[0.5, 0.5]]) for i in ids)
        session.execute(update(Response).where(Response.id.in_(ids[:4])).values(blind=True))
    state = reports.state(school.administrator, upload)
    assert (state.explained, state.wanted) == (2, 2)
    assert reports.words(school.administrator, upload, "heat").answers == 2
    [day] = school.services.expert_use.over_time(school.administrator, school.task)
    assert day.answers == 2


def test_an_upload_without_scores_has_no_report(school: School) -> None:
    upload_id = school.upload()
    for refused in (school.services.word_reports.state, school.services.word_reports.explain_upload):
        with pytest.raises(Conflict, match="not scored yet"):
            refused(school.administrator, upload_id)


# Where people decided otherwise -----------------------------------------------------------------------


def decide(school: School, response_id: int, heat: int, nonce: str) -> None:
    view = school.services.review.response(school.educator, response_id)
    levels = {"heat": heat, "claim": 0}
    school.services.review.decide(school.educator, response_id, view.revision, levels, nonce, "because")


def test_only_disagreements_that_stand_are_listed_newest_first(school: School, upload: str) -> None:
    reports, ids = school.services.word_reports, school.response_ids(upload)
    for response_id, heat in ((ids[0], 0), (ids[1], 1), (ids[2], 2), (ids[3], 2)):
        decide(school, response_id, heat, f"n{response_id}")

    def listed(criterion: str = "heat") -> list[tuple[int, int, int]]:
        found = reports.disagreements(school.administrator, school.task, criterion)
        return [(each.response_id, each.machine, each.human) for each in found]

    assert listed() == [(ids[3], 1, 2), (ids[2], 1, 2), (ids[0], 1, 0)]
    assert listed("claim") == []
    view = school.services.review.response(school.educator, ids[3])
    school.services.review.undo(school.educator, ids[3], view.revision, "u")
    school.machine(ids[2], {"heat": 2, "claim": 0})
    assert listed() == [(ids[0], 1, 0)]


def test_disagreements_are_explained_on_demand_once(school: School, upload: str) -> None:
    reports, ids = school.services.word_reports, school.response_ids(upload)
    decide(school, ids[0], 0, "n")
    assert reports.disagreements(school.administrator, school.task, "heat")[0].explanation is None
    assert reports.explain_disagreements(school.administrator, school.task, "heat") == 1
    assert reports.explain_disagreements(school.administrator, school.task, "heat") == 0
    explain(school, ids[0])
    [found] = reports.disagreements(school.administrator, school.task, "heat")
    assert found.explanation == explanation()
    assert reports.explain_disagreements(school.administrator, school.task, "heat") == 0


# Experts over time ------------------------------------------------------------------------------------


def test_use_by_day_and_by_level(school: School, upload: str) -> None:
    ids, use = school.response_ids(upload), school.services.expert_use
    school.machine(ids[0], {"heat": 2, "claim": 1})
    with school.database.write() as session:
        for number, response_id in enumerate(ids):
            weights = [[0.9, 0.1]] if number == 0 else [[0.1, 0.9]]
            at = utc_now() - timedelta(days=100 if number == 5 else number % 2)
            session.add(ResponseGates(response_id=response_id, student_version_id=1, weights=weights, created_at=at))
    days = use.over_time(school.administrator, school.task)
    assert [day.answers for day in days] == [2, 3]
    assert days[0].day < days[1].day
    assert days[1].weights == (pytest.approx((1.1 / 3, 1.9 / 3)),)
    [of_level] = use.over_time(school.administrator, school.task, "heat", 2)
    assert (of_level.answers, of_level.weights) == (1, ((0.9, 0.1),))
    assert use.over_time(school.administrator, school.task, "claim", 7) == []
    assert use.report(school.administrator) is None
