"""Adding a task on its screen, step by step, as a teacher would, over a real database."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.components.authoring.draft import Draft
from scoring.services.actors import Actor
from scoring.services.adaptations import RunStatus
from scoring.services.house import Services
from scoring.services.sections import SectionSummary
from tests.pages.authored import (
    ENTRY,
    add_candidate,
    add_run,
    end_preview,
    house_base,
    labelled_csv,
    report,
    write_task,
)
from tests.pages.conftest import TASKS
from tests.pages.driving import NASTY, badges, drop, labels, press, run, said

PAGE = "educator/new_task.py"
Open = Callable[..., AppTest]


def open_step(app: Open, actor: Actor, task_id: int, step: str = "") -> AppTest:
    """The screen at an address that names a task and maybe a step."""
    at = app(actor)
    at.switch_page(PAGE)
    at.query_params["task"] = str(task_id)
    if step:
        at.query_params["step"] = step
    return run(at)


def fill(at: AppTest, label: str, text: str) -> AppTest:
    kinds = (*at.text_input, *at.text_area)
    next(widget for widget in kinds if widget.label == label).set_value(text)
    return at


def typed(at: AppTest, label: str) -> Any:
    return next(widget.value for widget in (*at.text_input, *at.text_area) if widget.label == label)


@pytest.fixture
def task(services: Services, educator: Actor, section: SectionSummary) -> int:
    """A task of the educator with fifteen labelled answers and two without a label."""
    return write_task(services, educator)


# Describe


def test_what_is_missing_is_told_and_nothing_typed_is_lost(app: Open, educator: Actor) -> None:
    at = app(educator, PAGE)
    fill(at, "The question that students answer", "Where did the water go?")
    press(at, "Save the task")
    assert "Give the task a title" in at.error[0].value
    assert typed(at, "The question that students answer") == "Where did the water go?"


def test_a_task_is_written_with_two_criteria(app: Open, services: Services, educator: Actor) -> None:
    at = app(educator, PAGE)
    fill(fill(at, "Title", "Puddles"), "The question that students answer", "Where did the water go?")
    fill(at, "Answers with full points, one a line", "It became vapour.\n\nIt evaporated.")
    draft: Draft = at.session_state["task-draft"]
    at.session_state[f"task-new-{draft.revision}-0-levels"] = {
        "edited_rows": {"2": {"descriptor": "Names vapour"}}, "added_rows": [], "deleted_rows": [],
    }  # fmt: skip
    press(at, "Add a criterion")
    assert typed(at, "Title") == "Puddles"
    fill(at, "Criterion 2", "Evidence")
    press(at, "One level fewer")
    press(at, "Save the task")
    [saved] = services.authoring.mine(educator)
    assert [(c.name, c.values) for c in saved.task.criteria] == [("Score", (0, 1)), ("Evidence", (0, 1, 2))]
    assert saved.task.reference_answers == ("It became vapour.", "It evaporated.")
    assert at.query_params["task"] == str(saved.id)
    assert "Step 2 of 6: Examples" in said(at)


def test_what_a_level_says_is_saved(app: Open, services: Services, educator: Actor, task: int) -> None:
    at = open_step(app, educator, task, "describe")
    draft: Draft = at.session_state["task-draft"]
    at.session_state[f"task-{task}-{draft.revision}-0-levels"] = {
        "edited_rows": {"2": {"descriptor": "Names vapour"}}, "added_rows": [], "deleted_rows": [],
    }  # fmt: skip
    press(at, "Save the changes")
    summary = services.authoring.get(educator, task)
    assert (summary.version_number, summary.task.criteria[0].levels[2].descriptor) == (2, "Names vapour")
    assert summary.examples == 15


def test_a_stale_edit_is_refused_and_both_texts_are_kept(
    app: Open, services: Services, educator: Actor, task: int
) -> None:
    at = open_step(app, educator, task, "describe")
    fill(at, "Title", "Mine")
    services.authoring.revise(educator, task, 1, {**ENTRY, "title": "Theirs"})
    press(at, "Save the changes")
    assert "Somebody saved version 2" in at.error[0].value
    assert "Theirs" in said(at)
    assert typed(at, "Title") == "Mine"
    press(at, "Save mine on top of version 2")
    press(at, "Save the changes")
    summary = services.authoring.get(educator, task)
    assert (summary.version_number, summary.task.title) == (3, "Mine")


def test_the_other_text_can_be_taken_instead(app: Open, services: Services, educator: Actor, task: int) -> None:
    at = open_step(app, educator, task, "describe")
    fill(at, "Title", "Mine")
    services.authoring.revise(educator, task, 1, {**ENTRY, "title": "Theirs"})
    press(at, "Save the changes")
    press(at, "Throw mine away")
    assert typed(at, "Title") == "Theirs"
    assert not at.error


def test_a_task_comes_from_a_file(app: Open, services: Services, educator: Actor) -> None:
    at = app(educator, PAGE)
    at.radio(key="begin").set_value("Take it from a file")
    run(at)
    drop(at, b"[{]", "tasks.json")
    assert "tasks.json" in at.error[0].value
    drop(at, json.dumps(TASKS).encode(), "tasks.json")
    press(at, "Fill the form with it")
    assert typed(at, "Title") == "Why does ice melt?"
    press(at, "Save the task")
    [saved] = services.authoring.mine(educator)
    assert saved.task.scoring_shape() == {"heat": [0, 1]}


def test_a_task_that_is_there_is_copied(app: Open, services: Services, educator: Actor) -> None:
    at = app(educator, PAGE)
    at.radio(key="begin").set_value("Start from a task that is there")
    run(at)
    press(at, "Fill the form with it")
    press(at, "Save the task")
    [saved] = services.authoring.mine(educator)
    assert saved.task.title == "Plants and light (copy)"
    assert saved.owner_id == educator.user_id


def test_somebody_elses_task_is_not_shown(app: Open, administrator: Actor, educator: Actor, services: Services) -> None:
    theirs = write_task(services, administrator, 0)
    at = open_step(app, educator, theirs)
    assert "no such task" in at.error[0].value
    published = next(task.id for task in services.tasks.available(educator) if task.task.id == "plant-light")
    assert "only an administrator may change it" in open_step(app, educator, published).error[0].value
    assert "plant" not in labels(open_step(app, educator, theirs))


def test_typed_text_stands_for_itself(app: Open, services: Services, educator: Actor) -> None:
    task_id = write_task(services, educator, title=NASTY)
    for step in ("describe", "examples", "train"):
        at = open_step(app, educator, task_id, step)
        assert "<script>alert(1)</script>" not in "".join(element.value for element in at.title)


def test_a_task_is_put_away(app: Open, services: Services, educator: Actor, task: int) -> None:
    at = press(open_step(app, educator, task, "describe"), "Put this task away")
    assert "A new task" in said(at)
    assert services.authoring.mine(educator) == []
    press(at, "Take it back")
    assert [mine.id for mine in services.authoring.mine(educator)] == [task]


# Examples


def test_a_task_without_answers_says_what_is_needed(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    task_id = write_task(services, educator, 0)
    at = open_step(app, educator, task_id)
    assert "This task has no answers yet" in at.info[0].value
    assert at.button(key="step-trust").disabled
    at = press(at, "3. Train")
    assert "No answer has a level" in at.warning[0].value


def test_a_labelled_file_is_checked_row_by_row_and_saved(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    task_id = write_task(services, educator, 0)
    at = open_step(app, educator, task_id, "examples")
    drop(at, labelled_csv() + b"\nx1,A strange one.,7\nx2,,1", "labelled.csv")
    assert "2 rows can't be taken; 17 can." in at.error[0].value
    problems = next(frame.value for frame in at.dataframe if "Problem" in frame.value)
    assert list(problems["Row"][:2]) == [19, 20]
    assert not any(label.startswith("Save") for label in labels(at))
    next(box for box in at.checkbox if box.label.startswith("Take the 17")).check()
    run(at)
    press(at, "Save 17 answers")
    overview = services.examples.overview(educator, task_id)
    assert (overview.labelled, overview.unlabelled, overview.ready) == (15, 2, True)
    assert "Go on to training" in labels(at)
    assert any(
        "at level" in element.value or "labelled answers are a start" in element.value for element in at.markdown
    )


def test_answers_of_another_task_are_refused(app: Open, services: Services, educator: Actor, task: int) -> None:
    at = open_step(app, educator, task, "examples")
    drop(at, b"task_id,response_id,text,mark\nplant-light,r3,To make sugar.,1\n", "other.csv")
    assert "another task" in at.error[0].value
    assert not any(label.startswith("Save") for label in labels(at))


def test_a_file_of_one_level_is_saved_but_not_trained(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    task_id = write_task(services, educator, 0)
    at = open_step(app, educator, task_id, "examples")
    rows = "\n".join(f"a{n},Answer number {n} says this.,1" for n in range(12))
    drop(at, f"id,answer,mark\n{rows}".encode(), "one.csv")
    press(at, "Save 12 answers")
    assert any("All 12 labelled answers have level 1" in warning.value for warning in at.warning)
    assert "Go on to training" not in labels(at)


# Train


def test_training_is_started_watched_and_stopped(app: Open, services: Services, educator: Actor, task: int) -> None:
    at = open_step(app, educator, task)
    press(at, "Train quickly")
    newest = services.adaptations.newest(educator, task)
    assert newest is not None
    assert (newest.quick, newest.status) == (True, RunStatus.QUEUED)
    assert "Stop the training" in labels(at)
    # A reload finds it again by the task in the address.
    at = open_step(app, educator, task)
    press(at, "Stop the training")
    run(at)
    assert "The training was stopped" in at.info[0].value
    assert "Train" in labels(at)


def test_a_running_training_shows_its_curve(app: Open, services: Services, educator: Actor, task: int) -> None:
    series = {"evaporation": [0.5, 0.4, 0.6]}
    add_run(
        services, educator, task, RunStatus.RUNNING, message="Learning curve: training on 8 labels only.", done=30,
        total=100, parts={"curve-8-0": {"labels": 8, "series": series}},
    )  # fmt: skip
    at = open_step(app, educator, task)
    assert "Agreement on held-out answers, so far" in said(at)
    [chart] = at.get("plotly_chart")
    assert chart is not None
    assert "Train" not in labels(at)


def test_a_training_that_failed_says_why(app: Open, services: Services, educator: Actor, task: int) -> None:
    add_run(services, educator, task, RunStatus.FAILED, error="The disk is full.")
    at = open_step(app, educator, task)
    assert "The disk is full" in at.error[0].value
    assert "Train" in labels(at)


# Trust and stress test


def test_figures_are_shown_with_their_intervals(
    app: Open, services: Services, educator: Actor, task: int, tmp_path: Path
) -> None:
    add_candidate(services, educator, task, tmp_path / "c1")
    at = open_step(app, educator, task)
    assert "Step 4 of 6: Trust" in said(at)
    [row] = at.dataframe[0].value.to_dict("records")
    assert row["Agreement (QWK)"] == "0.71 (0.50 to 0.82)"
    assert row["Two people (QWK)"] == "0.80"
    assert len(at.get("plotly_chart")) == 3
    assert "About 40 labelled answers may be needed" in said(at)
    assert "Thinnest level: 2" in said(at)


def test_not_enough_evidence_is_said(app: Open, services: Services, educator: Actor, task: int, tmp_path: Path) -> None:
    found = report(enough=False, verdict="Not enough evidence: agreement is undefined.", mislabels=[], to_label=[])
    found["criteria"][0] |= dict.fromkeys(("qwk", "qwk_low", "qwk_high", "smd"))
    found["criteria"][0] |= {"human": None, "curve": []}
    add_candidate(services, educator, task, tmp_path / "c1", found)
    at = open_step(app, educator, task)
    assert "Not enough evidence" in at.warning[0].value
    assert at.dataframe[0].value["Agreement (QWK)"][0] == "not enough evidence"
    assert "No label stands out" in said(at)


def test_a_doubted_label_is_changed_and_an_answer_labelled_in_place(
    app: Open, services: Services, educator: Actor, task: int, tmp_path: Path
) -> None:
    add_candidate(services, educator, task, tmp_path / "c1")
    at = open_step(app, educator, task, "trust")
    assert "The model gives level 2 with 97%" in said(at)
    version = services.authoring.get(educator, task).version_id
    at.radio(key=f"suspect-{version}-0-level").set_value(2)
    press(at, "Change the label")
    [answer] = services.examples.pool(educator, task, ["a0-1"])
    assert answer.levels == {"evaporation": 2}
    assert any("Changed to 2 since" in badge for badge in badges(at))
    at.radio(key=f"next-{version}-w0-evaporation").set_value(1)
    press(at, "Save the label")
    assert services.examples.overview(educator, task).labelled == 16
    press(at, "Train again")
    assert "Step 3 of 6: Train" in said(at)


def test_the_certificate_shows_what_fooled_the_model(
    app: Open, services: Services, educator: Actor, task: int, tmp_path: Path
) -> None:
    add_candidate(services, educator, task, tmp_path / "c1")
    at = open_step(app, educator, task, "stress")
    words = " ".join(badges(at))
    assert [word in words for word in ("Passed", "Failed", "Not tested")] == [True] * 3
    assert "1 check of 3 failed" in at.warning[0].value
    assert "no" in said(at)
    assert "held in 5 of 20 cases" in said(at)


# Go live


def test_a_failed_stress_test_needs_a_reason_and_one_click_goes_back(
    app: Open, services: Services, educator: Actor, task: int, tmp_path: Path
) -> None:
    house_base(services, tmp_path / "v1")
    candidate = add_candidate(services, educator, task, tmp_path / "c1")
    at = open_step(app, educator, task, "live")
    assert "identical to the last bit" in said(at)
    at.button(key=f"activate-{candidate}").click().run()
    # The opener is clicked again because a test reruns the whole script.
    for reason in ("", "Every score is reviewed."):
        at.text_area(key="despite").set_value(reason)
        at.button(key=f"activate-{candidate}").click()
        at.button(key="activate-yes").click()
        run(at)
        assert [error.value.startswith("The stress test failed") for error in at.error] == ([] if reason else [True])
    at = open_step(app, educator, task, "live")
    assert any("Active" in badge for badge in badges(at))
    assert services.authoring.get(educator, task).scorable
    press(at, "Go back to the version before")
    assert not services.authoring.get(educator, task).scorable


def test_a_preview_says_that_no_other_task_moves(
    app: Open, services: Services, educator: Actor, task: int, tmp_path: Path
) -> None:
    candidate = add_candidate(services, educator, task, tmp_path / "c1")
    at = open_step(app, educator, task, "live")
    press(at, "See what would change")
    assert "Stop" in labels(at)
    preview = services.promotion.newest_preview(educator, candidate)
    assert preview is not None
    end_preview(services, preview.id, done=132, total=132, others=132, moved=0)
    at = open_step(app, educator, task, "live")
    assert "0 of 132 answers of other tasks would change" in at.success[0].value
    end_preview(services, preview.id, moved=3)
    at = open_step(app, educator, task, "live")
    assert "3 of 132 answers of other tasks would change" in at.error[0].value


def test_a_stale_candidate_is_brought_up_to_date(
    app: Open, services: Services, educator: Actor, task: int, tmp_path: Path
) -> None:
    other = write_task(services, educator, title="Another one")
    house_base(services, tmp_path / "v1")
    ahead = add_candidate(services, educator, other, tmp_path / "c1")
    add_candidate(services, educator, task, tmp_path / "c2")
    active = services.promotion.compare(educator, ahead).active_id
    services.promotion.activate(educator, ahead, active, despite="tested by hand")
    at = open_step(app, educator, task, "live")
    assert "Another version became active" in at.warning[0].value
    press(at, "Bring it up to date")
    newest = services.adaptations.newest(educator, task)
    assert newest is not None
    assert newest.brings_up_to_date


def test_an_administrator_publishes_a_task(
    app: Open, services: Services, educator: Actor, administrator: Actor, task: int, tmp_path: Path
) -> None:
    add_candidate(services, educator, task, tmp_path / "c1")
    assert "Publish it for every educator" not in labels(open_step(app, educator, task, "live"))
    press(open_step(app, administrator, task, "live"), "Publish it for every educator")
    assert task in {summary.id for summary in services.tasks.available(administrator)}


def test_the_item_bank_publishes_a_task(app: Open, services: Services, administrator: Actor, task: int) -> None:
    at = app(administrator, "admin/tasks.py")
    assert "by Edna Educator" in said(at)
    press(at, "Publish")
    assert services.authoring.get(administrator, task).owner_id is None
    assert "by Edna Educator" not in said(at)


# Versions


def test_versions_show_where_they_come_from_and_what_they_would_change(
    app: Open, services: Services, educator: Actor, administrator: Actor, task: int, tmp_path: Path
) -> None:
    candidate = add_candidate(services, educator, task, tmp_path / "c1")
    at = app(administrator, "admin/versions.py")
    assert "Adds **Why do puddles vanish?** to version v1 (150 kB)" in said(at)
    assert "by Edna Educator" in said(at)
    at.button(key=f"look-{candidate}").click()
    run(at)
    press(at, "See what would change")
    assert services.promotion.newest_preview(administrator, candidate) is not None


def test_an_administrator_goes_back_on_the_versions_screen(
    app: Open, services: Services, educator: Actor, administrator: Actor, task: int, tmp_path: Path
) -> None:
    house_base(services, tmp_path / "v1")
    candidate = add_candidate(services, educator, task, tmp_path / "c1")
    active = services.promotion.compare(educator, candidate).active_id
    services.promotion.activate(educator, candidate, active, despite="tested by hand")
    at = press(app(administrator, "admin/versions.py"), "Go back to the version before")
    assert [v.version_key for v in services.versions.all(administrator) if v.state == "active"] == ["v1"]
    assert not at.error
