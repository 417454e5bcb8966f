"""Asking for a task to be trained: what must be there, once per form, and queued in the same transaction."""

from __future__ import annotations

import sqlite3

import pytest
from sqlalchemy import update

from db.tables import Adaptation, StudentVersion
from scoring.errors import Conflict, InvalidInput, ModelUnavailable
from scoring.jobs import TRAINING_QUEUE
from scoring.services.adaptations import RunStatus
from tests.conftest import School
from tests.db.authored import COLUMNS, add_task, labelled_csv


def queued(school: School) -> list[tuple[str, str, str]]:
    with sqlite3.connect(school.services.settings.data_dir / "evenhand.db") as connection:
        return connection.execute("SELECT workflow_uuid, name, queue_name FROM workflow_status").fetchall()


def test_a_run_is_queued_once_per_form(school: School) -> None:
    task_id, adaptations = add_task(school), school.services.adaptations
    assert adaptations.newest(school.educator, task_id) is None
    run_id = adaptations.start(school.educator, task_id, "run", quick=True)
    assert adaptations.start(school.educator, task_id, "run", quick=True) == run_id
    assert queued(school) == [(run_id, "add_task", TRAINING_QUEUE)]
    seen = adaptations.newest(school.educator, task_id)
    assert seen is not None
    assert (seen.id, seen.status, seen.examples, seen.quick) == (run_id, RunStatus.QUEUED, 12, True)
    assert (seen.requested_by, seen.task_id, seen.task_version) == ("Edna Educator", task_id, 1)
    assert (seen.seconds, seen.seconds_left, seen.curve, seen.report) == (0.0, None, (), None)
    assert not seen.finished


def test_the_token_of_another_task_is_refused(school: School) -> None:
    first, second = add_task(school), add_task(school, token="other", title="Another rubric")
    school.services.adaptations.start(school.educator, first, "run")
    with pytest.raises(Conflict, match="for another task"):
        school.services.adaptations.start(school.educator, second, "run")


@pytest.mark.parametrize(("per_level", "keep", "why"), [
    (0, (), "Add labelled answers first"), (2, (0, 1), "at least 8"), (10, (1,), "one level alone"),
])  # fmt: skip
def test_too_little_to_learn_from_is_refused_in_words(
    school: School, per_level: int, keep: tuple[int, ...], why: str
) -> None:
    task_id = add_task(school, examples=0)
    if keep:
        head, *lines = labelled_csv(per_level).decode().splitlines()
        data = "\n".join([head, *(line for line in lines if int(line[-1]) in keep)]).encode()
        school.services.examples.save(school.educator, task_id, "f.csv", data, COLUMNS, "file")
    with pytest.raises(InvalidInput, match=why):
        school.services.adaptations.start(school.educator, task_id, "run")
    assert school.count("adaptations") == 0
    assert queued(school) == []


def test_without_an_active_model_there_is_nothing_to_build_on(school: School) -> None:
    task_id = add_task(school)
    with school.database.write() as session:
        session.execute(update(StudentVersion).values(state="retired"))
    with pytest.raises(ModelUnavailable, match="no active scoring model"):
        school.services.adaptations.start(school.educator, task_id, "run")


def test_cancelling_is_recorded_once_and_makes_room_for_another(school: School) -> None:
    task_id, adaptations = add_task(school), school.services.adaptations
    run_id = adaptations.start(school.educator, task_id, "run")
    with pytest.raises(Conflict, match="being trained already"):
        adaptations.start(school.educator, task_id, "other")
    adaptations.cancel(school.educator, run_id)
    adaptations.cancel(school.educator, run_id)
    seen = adaptations.get(school.educator, run_id)
    assert (seen.status, seen.finished) == (RunStatus.CANCELLED, True)
    assert adaptations.start(school.educator, task_id, "other") != run_id
    events, _ = school.services.audit.events(school.administrator)
    assert [e.action for e in events if e.action.startswith("adaptation.")] == [
        "adaptation.start", "adaptation.cancel", "adaptation.start",
    ]  # fmt: skip


def test_tables_of_parts_are_not_sent_to_screens(school: School) -> None:
    run_id = school.services.adaptations.start(school.educator, add_task(school), "run")
    parts = {"first": {"qwk": {"evaporation": 0.5}, "logits": {"evaporation": [[0.1]]}},
             "curve-8-0": {"labels": 8, "series": {"evaporation": [None]}}}  # fmt: skip
    with school.database.write() as session:
        session.execute(update(Adaptation).values(parts=parts, status="running"))
    seen = school.services.adaptations.get(school.educator, run_id)
    assert seen.parts == {"first": {"qwk": {"evaporation": 0.5}}, "curve-8-0": {"labels": 8}}
    assert seen.curve == ()
