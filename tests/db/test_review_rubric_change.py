"""A task is edited while its answers are reviewed: every answer stays with the rubric that it was given for."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any

import pytest

from db.tables import StudentVersion
from scoring.errors import InvalidInput
from tests.conftest import COLUMNS, School, class_csv
from tests.db.authored import ENTRY, add_task

LEVELS = ENTRY["criteria"][0]["levels"]
FEWER = {**ENTRY["criteria"][0], "name": "Names evaporation", "levels": LEVELS[:2]}
ADDED = {"name": "Uses the sun", "levels": LEVELS}
CHANGED = {**ENTRY, "title": "Where do puddles go?", "criteria": [FEWER, ADDED]}


@dataclass
class Reviewed:
    task_id: int
    upload_id: str
    ids: list[int]


@pytest.fixture
def reviewed(school: School) -> Reviewed:
    """Three answers to a task of the educator's own, the first decided on; then the task was edited."""
    task_id = add_task(school, examples=0)
    task = school.services.authoring.get(school.educator, task_id)
    with school.database.write() as session:
        scoring = session.get_one(StudentVersion, 1)
        scoring.shapes = {**scoring.shapes, task.task.id: task.task.scoring_shape()}
    rows = class_csv([(f"s{n}", "", f"The sun dried puddle {n}.") for n in range(3)])
    submit = school.services.uploads.submit
    upload_id = submit(school.educator, school.section, task.version_id, "c.csv", rows, COLUMNS, "once")
    school.finish(upload_id)
    ids = school.response_ids(upload_id)
    school.services.review.decide(school.educator, ids[0], 0, {"evaporation": 2}, "before")
    school.services.authoring.revise(school.educator, task_id, 1, CHANGED)
    return Reviewed(task_id, upload_id, ids)


def test_answers_keep_their_title_criteria_and_levels(school: School, reviewed: Reviewed) -> None:
    review = school.services.review
    for response in reviewed.ids:
        view = review.response(school.educator, response)
        assert view.task.title == ENTRY["title"]
        assert [(c.id, c.values) for c in view.task.criteria] == [("evaporation", (0, 1, 2))]
    newest = school.services.authoring.get(school.educator, reviewed.task_id).task
    assert [c.name for c in newest.criteria] == ["Names evaporation", "Uses the sun"]


def test_a_decision_begun_before_the_change_is_saved_with_the_old_levels(school: School, reviewed: Reviewed) -> None:
    review, second = school.services.review, reviewed.ids[1]
    view = review.decide(school.educator, second, 0, {"evaporation": 2}, "begun before")
    assert (view.reviewed, view.criteria[0].final.level) == (True, 2)
    assert review.undo_last(school.educator, reviewed.upload_id, "u", 0) == second
    assert review.redo_last(school.educator, reviewed.upload_id, "r", 0) == second
    assert review.queue(school.educator, reviewed.upload_id).reviewed == 2


@pytest.mark.parametrize("levels", [{"names-evaporation": 1}, {"uses-the-sun": 1}])
def test_the_new_criteria_are_no_part_of_an_old_answer(
    school: School, reviewed: Reviewed, levels: dict[str, int]
) -> None:
    with pytest.raises(InvalidInput):
        school.services.review.decide(school.educator, reviewed.ids[1], 0, levels, "n")
    assert not school.services.review.response(school.educator, reviewed.ids[1]).reviewed


def test_scores_leave_under_the_names_they_were_given_for(school: School, reviewed: Reviewed) -> None:
    _, data = school.services.scores.export(school.educator, reviewed.upload_id)
    first: dict[str, Any] = next(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert (first["Evaporation"], first["Highest total"], first["Reviewed by a person"]) == ("2", "2", "yes")
    assert "Uses the sun" not in first
