"""Comment templates are a person's own, drafts stay drafts, and what is told leaves with the grades."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from db.tables import Comment, CriterionRow, TaskVersion
from scoring.errors import Conflict, InvalidInput, NotFound
from scoring.services.feedback import LONGEST_COMMENT, newest_comments, templates_for
from scoring.services.tasks import load_item_bank, task_of
from tests.conftest import TASKS, School, write_item_bank


def offered(school: School, user_id: int | None = None) -> dict[str, dict[int, str]]:
    with school.database.read() as session:
        task = task_of(session.get_one(TaskVersion, school.version))
        return templates_for(session, user_id or school.educator.user_id, school.task, task)


def write_comment(school: School, response: int, text: str | None, nonce: str, criterion: str = "") -> None:
    with school.database.write() as session:
        row = session.scalar(
            select(CriterionRow.id).where(CriterionRow.task_version_id == school.version, CriterionRow.key == criterion)
        )
        session.add(
            Comment(
                response_id=response, criterion_id=row, author_id=school.educator.user_id, text=text, nonce=nonce
            )
        )  # fmt: skip


def exported(school: School, upload: str) -> list[dict[str, str]]:
    name, data = school.services.scores.export(school.educator, upload)
    assert name.endswith(".csv")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@pytest.fixture
def decided(school: School) -> tuple[str, int, int]:
    """An upload of two answers, the first decided: heat 2, claim 1; and their ids."""
    upload = school.upload()
    first, second = school.response_ids(upload)
    for response in (first, second):
        school.machine(response, {"heat": 2, "claim": 1})
    school.finish(upload)
    school.services.review.decide(school.educator, first, 0, {"heat": 2, "claim": 1}, "n")
    return upload, first, second


def test_the_rubric_fills_in_drafts_that_say_so(school: School) -> None:
    heat, claim = school.services.feedback.templates(school.educator, school.task)
    assert (heat.criterion.id, heat.own) == ("heat", False)
    assert [(t.level.value, t.text, t.draft) for t in claim.templates] == [(0, "no", True), (1, "yes", True)]
    assert offered(school)["heat"] == {0: "0 ideas", 1: "1 ideas", 2: "2 ideas"}


def test_what_is_saved_is_the_persons_own_and_nobody_elses(school: School) -> None:
    feedback = school.services.feedback
    feedback.save(school.educator, school.task, "claim", {0: "Say what happens.", 1: " Good claim! \n"})
    heat, claim = feedback.templates(school.educator, school.task)
    assert (heat.own, claim.own) == (False, True)
    assert [(t.text, t.draft) for t in claim.templates] == [("Say what happens.", False), ("Good claim!", False)]
    assert offered(school)["claim"] == {0: "Say what happens.", 1: "Good claim!"}
    assert offered(school, school.stranger.user_id)["claim"] == {0: "no", 1: "yes"}
    assert not feedback.templates(school.stranger, school.task)[1].own


def test_saving_again_replaces_and_nothing_is_a_choice(school: School) -> None:
    feedback = school.services.feedback
    feedback.save(school.educator, school.task, "claim", {0: "a", 1: "b"})
    feedback.save(school.educator, school.task, "claim", {0: "", 1: "c"})
    claim = feedback.templates(school.educator, school.task)[1]
    assert (claim.own, [t.text for t in claim.templates]) == (True, ["", "c"])
    assert school.count("comment_templates") == 2
    feedback.restore(school.educator, school.task, "claim")
    assert [t.text for t in feedback.templates(school.educator, school.task)[1].templates] == ["no", "yes"]
    assert school.count("comment_templates") == 0


@pytest.mark.parametrize(
    ("criterion", "texts"),
    [
        ("heat", {0: "a", 1: "b"}),
        ("claim", {0: "a", 1: "b", 2: "c"}),
        ("claim", {0: "a", 1: "x" * (LONGEST_COMMENT + 1)}),
        ("colour", {0: "a"}),
    ],
)
def test_texts_that_do_not_fit_the_rubric_are_refused_whole(
    school: School, criterion: str, texts: dict[int, str]
) -> None:
    with pytest.raises(InvalidInput):
        school.services.feedback.save(school.educator, school.task, criterion, texts)
    assert school.count("comment_templates") == 0


def test_templates_stay_when_the_task_gets_a_new_version(school: School, tmp_path: Any) -> None:
    school.services.feedback.save(school.educator, school.task, "claim", {0: "mine", 1: "too"})
    changed = {**TASKS[0], "prompt": "Explain once more why ice melts."}
    assert load_item_bank(school.database, write_item_bank(tmp_path / "bank", [changed]))[0] == 1
    assert [t.text for t in school.services.feedback.templates(school.educator, school.task)[1].templates] == [
        "mine", "too",
    ]  # fmt: skip


def test_a_task_of_somebody_else_has_no_templates_for_others(school: School) -> None:
    for call in (
        lambda: school.services.feedback.templates(school.educator, 99_999),
        lambda: school.services.feedback.save(school.educator, 99_999, "claim", {}),
        lambda: school.services.feedback.restore(school.educator, 99_999, "claim"),
    ):
        with pytest.raises(NotFound):
            call()


def test_the_newest_comment_counts_and_an_empty_one_takes_it_back(
    school: School, decided: tuple[str, int, int]
) -> None:
    upload, first, second = decided
    write_comment(school, first, "old", "a", "heat")
    write_comment(school, first, "new", "b", "heat")
    write_comment(school, first, "on all of it", "c")
    write_comment(school, second, "gone", "d", "claim")
    write_comment(school, second, "", "e", "claim")
    with school.database.read() as session:
        both = newest_comments(session, upload_id=upload)
        assert both == {first: {"heat": "new", "": "on all of it"}, second: {}}
        assert newest_comments(session, [second]) == {second: {}}


def test_the_export_carries_comments_of_decided_answers_only(school: School, decided: tuple[str, int, int]) -> None:
    upload, first, second = decided
    for response, nonce in ((first, "a"), (second, "b")):
        write_comment(school, response, "=HYPERLINK(1)", f"{nonce}1", "heat")
        write_comment(school, response, "Well done.", f"{nonce}2")
    one, two = exported(school, upload)
    assert one["Names the transfer of heat: comment"] == "'=HYPERLINK(1)"
    assert one["Comment"] == "Well done."
    assert one["Makes a claim: comment"] == "", "a draft of the rubric is not handed out"
    assert {key: value for key, value in two.items() if "omment" in key} == {
        "Names the transfer of heat: comment": "", "Makes a claim: comment": "", "Comment": "",
    }  # fmt: skip


def test_where_no_comment_was_written_the_template_of_the_level_is_told(
    school: School, decided: tuple[str, int, int]
) -> None:
    upload, first, _ = decided
    save = school.services.feedback.save
    save(school.educator, school.task, "heat", {0: "zero", 1: "one", 2: "two"})
    save(school.educator, school.task, "claim", {0: "no claim", 1: "+1 for the claim"})
    save(school.stranger, school.task, "heat", {0: "s", 1: "s", 2: "s"})
    write_comment(school, first, "You name the plate.", "a", "heat")
    one, two = exported(school, upload)
    assert one["Names the transfer of heat: comment"] == "You name the plate."
    assert one["Makes a claim: comment"] == "'+1 for the claim"
    assert two["Makes a claim: comment"] == ""
    write_comment(school, first, "", "b", "heat")
    assert exported(school, upload)[0]["Names the transfer of heat: comment"] == "two"


def test_a_template_is_kept_from_one_learner_and_told_again(school: School) -> None:
    upload = school.upload()
    first, second = school.response_ids(upload)
    for response in (first, second):
        school.machine(response, {"heat": 2, "claim": 1})
        school.services.review.decide(school.educator, response, 0, {"heat": 2, "claim": 1}, f"n{response}")
    school.finish(upload)
    school.services.feedback.save(school.educator, school.task, "heat", {0: "zero", 1: "one", 2: "two"})
    column, comment = "Names the transfer of heat: comment", school.services.review.comment
    assert [row[column] for row in exported(school, upload)] == ["two", "two"]
    view = school.services.review.response(school.educator, first)
    assert (view.ready, view.comments) == ({"heat": {0: "zero", 1: "one", 2: "two"}, "claim": {}}, {})
    for _ in range(2):  # a double click
        comment(school.educator, first, "heat", None, "a")
    assert [row[column] for row in exported(school, upload)] == ["", "two"]
    assert school.services.review.response(school.educator, first).comments == {"heat": None}
    assert school.services.review.response(school.educator, second).comments == {}
    with pytest.raises(Conflict):
        comment(school.educator, first, "heat", "", "a")
    comment(school.educator, first, "heat", "", "b")
    assert [row[column] for row in exported(school, upload)] == ["two", "two"]
    assert school.count("comments") == 2


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(exclude_categories=("Cs",)), max_size=40))
def test_no_template_runs_as_a_formula_in_the_export(school: School, decided: tuple[str, int, int], text: str) -> None:
    school.services.feedback.save(school.educator, school.task, "claim", {0: "", 1: text})
    cell = exported(school, decided[0])[0]["Makes a claim: comment"]
    assert cell.removeprefix("'") == text.strip().removeprefix("'")
    assert not cell.startswith(("=", "@", "\t"))
