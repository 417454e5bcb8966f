"""An explanation is asked for once, kept, and shown to nobody who may not see the machine's view."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from db.explanation_queries import next_to_prepare
from db.tables import Explanation as Row
from db.tables import LabelledExample, Response, StudentVersion, Trial, Upload, utc_now
from scoring.domain import UploadStatus
from scoring.errors import Conflict, InvalidInput, NotFound
from scoring.explain.explanation import Attribution, CriterionExplanation, Explanation
from scoring.services.explanations import (
    LONGEST_TRIAL,
    REPORT_JOB,
    SETTINGS,
    ExplanationStatus,
    ExplanationView,
    Pending,
)
from tests.conftest import School

TEXT = "Heat moves."
CONTEXT: dict[str, Any] = {"neighbours": [], "alike": []}


def explanation(whole: bool = True) -> Explanation:
    """Of `TEXT`, as a worker would have made it."""
    attribution = Attribution(0.2, 1.1, (0.7, 0.2), True, "Tested.", None) if whole else None
    heat = CriterionExplanation(
        "heat", 1, (0, 1, 2), (0.1, 0.7, 0.2), 1.1, (0.5, 0.1), attribution, (), 1.0 if whole else None
    )
    claim = CriterionExplanation("claim", 0, (0, 1), (0.9, 0.1), 0.1, (0.0, 0.0), attribution, (), None)
    return Explanation(
        "melting-ice", "fake", SETTINGS.hash(), ((0, 4), (5, 11)), 2, False, (heat, claim), ((0.3, 0.7),), ""
    )


@pytest.fixture
def response(school: School) -> int:
    """A scored answer that nobody has decided on."""
    upload_id = school.upload([("s1", "Ann", TEXT), ("s2", "Ben", "It is warm.")])
    school.finish(upload_id)
    first = school.response_ids(upload_id)[0]
    school.machine(first, {"heat": 1, "claim": 0})
    return first


def rows(school: School) -> list[Row]:
    with school.database.read() as session:
        return list(session.scalars(select(Row).order_by(Row.id)))


def jobs(school: School) -> list[str]:
    """The names of the explaining jobs in the queue, oldest first."""
    with sqlite3.connect(school.services.settings.data_dir / "evenhand.db") as connection:
        found = connection.execute("SELECT name FROM workflow_status ORDER BY created_at, workflow_uuid").fetchall()
    return [name for (name,) in found if name != "score_upload"]


def write(school: School, **values: Any) -> None:
    """What the worker would have written to every row."""
    with school.database.write() as session:
        session.execute(update(Row).values(**values))


def of(school: School, response: int) -> ExplanationView | Pending:
    return school.services.explanations.of(school.educator, response)


def test_asking_queues_one_job_however_often(school: School, response: int) -> None:
    first = of(school, response)
    assert isinstance(first, Pending)
    assert (first.first, first.failed) == (None, False)
    of(school, response)
    school.services.explanations.again(school.educator, response)
    [row] = rows(school)
    assert (row.status, row.student_version_id, row.settings_hash) == ("waiting", 1, SETTINGS.hash())
    assert jobs(school) == ["explain_response"]


def test_ten_people_who_ask_at_once_get_one_job(school: School, response: int) -> None:
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda _: of(school, response), range(10)))
    assert all(isinstance(state, Pending) for state in found)
    assert len(rows(school)) == len(jobs(school)) == 1


def test_the_first_look_shows_before_the_whole(school: School, response: int) -> None:
    of(school, response)
    write(school, status=ExplanationStatus.FIRST, first=explanation(whole=False).to_json())
    state = of(school, response)
    assert isinstance(state, Pending)
    assert state.first == explanation(whole=False)
    write(school, status=ExplanationStatus.DONE, content={"explanation": explanation().to_json(), **CONTEXT})
    whole = of(school, response)
    assert isinstance(whole, ExplanationView)
    assert whole.explanation == explanation()
    assert whole.version_active
    assert len(jobs(school)) == 1


def test_a_failure_is_told_and_can_be_tried_again(school: School, response: int) -> None:
    of(school, response)
    write(school, status=ExplanationStatus.FAILED, error="The version can't be loaded.")
    state = of(school, response)
    assert isinstance(state, Pending)
    assert state.failed
    assert state.error == "The version can't be loaded."
    assert len(jobs(school)) == 1
    again = school.services.explanations.again(school.educator, response)
    assert isinstance(again, Pending)
    assert not again.failed
    assert len(jobs(school)) == 2


def test_a_row_in_a_reports_long_list_becomes_urgent_when_somebody_asks(school: School, response: int) -> None:
    of(school, response)
    write(school, job_id=f"{REPORT_JOB}1")
    of(school, response)
    [row] = rows(school)
    assert not row.job_id.startswith(REPORT_JOB)
    assert len(jobs(school)) == 2


def test_another_version_of_the_model_has_its_own_explanation(school: School, response: int) -> None:
    of(school, response)
    write(school, status=ExplanationStatus.DONE, content={"explanation": explanation().to_json(), **CONTEXT})
    with school.database.write() as session:
        session.execute(update(StudentVersion).values(state="retired"))
        session.add(StudentVersion(version_key="next", folder="x", state="active", shapes={}, card={}))
    stale = of(school, response)
    assert isinstance(stale, ExplanationView)
    assert not stale.version_active
    school.machine(response, {"heat": 2, "claim": 1}, version=2)
    assert isinstance(of(school, response), Pending)
    assert [row.student_version_id for row in rows(school)] == [1, 2]


def test_without_a_score_there_is_nothing_to_explain(school: School, response: int) -> None:
    with pytest.raises(InvalidInput, match="gave no score"):
        of(school, response + 1)
    with pytest.raises(InvalidInput, match="gave no score"):
        school.services.explanations.try_text(school.educator, response + 1, "x")
    assert rows(school) == []


def test_an_answer_drawn_for_blind_scoring_is_explained_only_once_decided(school: School, response: int) -> None:
    of(school, response)
    trial = school.services.explanations.try_text(school.educator, response, "x")
    with school.database.write() as session:
        session.execute(update(Response).where(Response.id == response).values(blind=True))
    explanations = school.services.explanations
    for refused in (
        lambda: explanations.of(school.educator, response),
        lambda: explanations.of(school.administrator, response),
        lambda: explanations.again(school.educator, response),
        lambda: explanations.try_text(school.educator, response, "y"),
        lambda: explanations.trial(school.educator, trial),
    ):
        with pytest.raises(Conflict, match="without the model's help"):
            refused()
    with school.database.write() as session:
        session.execute(update(Response).where(Response.id == response).values(reviewed=True))
    assert isinstance(of(school, response), Pending)


def test_the_text_of_a_blind_answer_cannot_be_tried_on_another(school: School, response: int) -> None:
    with school.database.write() as session:
        session.execute(update(Response).where(Response.id == response + 1).values(blind=True))
    with pytest.raises(Conflict, match="Decide on that one first"):
        school.services.explanations.try_text(school.educator, response, "It is warm.")
    assert school.count("trials") == 0


def test_a_deleted_response_takes_its_explanations_and_trials_along(school: School, response: int) -> None:
    of(school, response)
    trial = school.services.explanations.try_text(school.educator, response, "x")
    with school.database.write() as session:
        session.execute(delete(Response).where(Response.id == response))
    assert rows(school) == []
    with pytest.raises(NotFound, match="no such response"):
        of(school, response)
    with pytest.raises(NotFound, match="not kept any more"):
        school.services.explanations.trial(school.educator, trial)


# Trying a text ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "   ", "one", "🔥🧊" * 20, "الحرارة تنتقل", "word " * 500, "<b>x</b> *y*", "a\x00b"]
)
def test_any_text_can_be_tried(school: School, response: int, text: str) -> None:
    explanations = school.services.explanations
    trial = explanations.trial(school.educator, explanations.try_text(school.educator, response, text))
    assert trial.text == text.replace("\x00", "")
    assert trial.pending
    assert jobs(school) == ["try_text"]


def test_a_text_that_is_too_long_is_refused_with_the_limit(school: School, response: int) -> None:
    with pytest.raises(InvalidInput, match="at most 20,000"):
        school.services.explanations.try_text(school.educator, response, "x" * (LONGEST_TRIAL + 1))
    assert jobs(school) == []


def test_the_same_text_again_is_the_same_trial_until_another_version_scores(school: School, response: int) -> None:
    explanations = school.services.explanations
    first = explanations.try_text(school.educator, response, "x")
    assert explanations.try_text(school.educator, response, "x") == first
    with school.database.write() as session:
        session.execute(update(Trial).values(content=explanation(whole=False).to_json()))
    assert explanations.try_text(school.educator, response, "x") == first
    view = explanations.trial(school.educator, first)
    assert view.explanation == explanation(whole=False)
    assert not view.pending
    with school.database.write() as session:
        session.add(StudentVersion(version_key="next", folder="x", state="candidate", shapes={}, card={}))
    school.machine(response, {"heat": 2, "claim": 1}, version=2)
    assert explanations.try_text(school.educator, response, "x") != first


def test_a_trial_that_failed_is_told_and_made_anew(school: School, response: int) -> None:
    explanations = school.services.explanations
    first = explanations.try_text(school.educator, response, "x")
    with school.database.write() as session:
        session.execute(update(Trial).values(error="It went wrong."))
    assert explanations.trial(school.educator, first).error == "It went wrong."
    assert explanations.try_text(school.educator, response, "x") != first


def test_nobody_sees_the_trial_of_another(school: School, response: int) -> None:
    trial = school.services.explanations.try_text(school.educator, response, "x")
    for other in (school.administrator, school.stranger):
        with pytest.raises(NotFound, match="not kept any more"):
            school.services.explanations.trial(other, trial)


# What stands beside it --------------------------------------------------------------------------------


def test_neighbours_show_what_is_still_there_with_the_scores_of_now(school: School, response: int) -> None:
    other = response + 1
    elsewhere = school.upload(
        [("s9", "Zoe", "Of another class.")], actor=school.stranger, section=school.strangers_section, token="t2"
    )
    foreign = school.response_ids(elsewhere)[0]
    with school.database.write() as session:
        example = LabelledExample(
            task_version_id=school.version,
            response_key="e1",
            text="Labelled.",
            levels={"heat": 2, "claim": 1},
            second={},
        )
        session.add(example)
        session.flush()
        example_id = example.id
        session.execute(update(Response).where(Response.id == foreign).values(reviewed=True))
    of(school, response)
    references = [["example", example_id], ["response", other], ["response", foreign], ["example", 10**6]]
    content = {
        "explanation": explanation().to_json(),
        **CONTEXT,
        "neighbours": [
            {"answer": reference, "similarity": 0.5, "ours": [[0, 4]], "theirs": [[0, 2]]} for reference in references
        ],
    }
    write(school, status=ExplanationStatus.DONE, content=content)

    def texts() -> list[tuple[str, dict[str, int]]]:
        state = of(school, response)
        assert isinstance(state, ExplanationView)
        return [(n.answer.text, dict(n.answer.levels)) for n in state.context.neighbours]

    # Not yet scored by people, of another class, or gone: not shown.
    assert texts() == [("Labelled.", {"heat": 2, "claim": 1})]
    school.services.review.decide(school.educator, other, 0, {"heat": 0, "claim": 0}, "n")
    assert texts() == [("Labelled.", {"heat": 2, "claim": 1}), ("It is warm.", {"heat": 0, "claim": 0})]


# Preparing ahead --------------------------------------------------------------------------------------


def test_the_head_of_the_review_queue_is_prepared_least_certain_first(school: School) -> None:
    upload_id = school.upload([(f"s{i}", "", f"Heat moves {i}.") for i in range(5)])
    ids = school.response_ids(upload_id)

    def following() -> tuple[int, int] | None:
        with school.database.read() as session:
            return next_to_prepare(session, SETTINGS.hash(), 3)

    assert following() is None
    with school.database.write() as session:
        for number, response_id in enumerate(ids):
            session.execute(
                update(Response).where(Response.id == response_id).values(uncertainty=number / 10, blind=number == 4)
            )
        session.execute(update(Upload).values(student_version_id=1, status=UploadStatus.DONE))
    seen = []
    while (found := following()) is not None:
        seen.append(found[0])
        with school.database.write() as session:
            session.add(
                Row(
                    response_id=found[0], student_version_id=1, settings_hash=SETTINGS.hash(), job_id="ahead",
                    status="done", first=None, content=None,
                )
            )  # fmt: skip
    # The one drawn for blind scoring is left out, and the surest is beyond the head.
    assert seen == [ids[3], ids[2], ids[1]]
    with school.database.write() as session:
        session.execute(update(Response).where(Response.id == ids[3]).values(reviewed=True))
    assert following() == (ids[0], 1)
    with school.database.write() as session:
        session.execute(update(Upload).values(created_at=utc_now() - timedelta(days=30)))
    assert following() is None
