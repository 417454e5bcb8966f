"""The educator's screens, driven as a teacher would, over a real database; no model, its scores are written down."""

from __future__ import annotations

import doctest
import io
from dataclasses import replace
from datetime import timedelta
from types import ModuleType

import pytest
from openpyxl import Workbook
from sqlalchemy import func, select, update
from streamlit.testing.v1 import AppTest

from db.tables import StudentVersion, Upload
from pages.components import progress, session, task_card, words
from pages.components.tables import display_frame
from pages.components.words import plain
from scoring.domain import UploadStatus
from scoring.errors import NotSignedIn
from scoring.services.actors import Actor
from scoring.services.house import Services
from scoring.services.sections import SectionSummary
from tests.pages.conftest import PASSWORD
from tests.pages.driving import (
    ACCOUNT,
    CONSISTENCY,
    LIBRARY,
    NASTY,
    RESULTS,
    REVIEW,
    SCORE,
    SECTIONS,
    Open,
    badges,
    choose,
    desk,
    drop,
    labels,
    opened,
    press,
    run,
    said,
)
from tests.pages.school import (
    NAMED,
    another_educator,
    class_csv,
    response_ids,
    score,
    set_status,
    upload_class,
)


def uploads_in(services: Services) -> int:
    with services.database.read() as session:
        return session.scalar(select(func.count()).select_from(Upload)) or 0


# Nothing there yet


def test_without_a_section_the_score_screen_leads_to_making_one(app: Open, educator: Actor) -> None:
    at = app(educator, SCORE)
    assert "First, make a section" in said(at)
    assert not at.file_uploader


def test_without_a_model_no_task_can_be_scored(app: Open, services: Services, educator: Actor) -> None:
    services.sections.create(educator, "7b")
    at = app(educator, SCORE)
    assert "No task can be scored yet" in said(at)
    assert not at.file_uploader


@pytest.mark.parametrize(
    ("page", "words_there"),
    [
        (RESULTS, "Nothing scored yet"),
        (REVIEW, "Nothing scored yet"),
        (CONSISTENCY, "Nothing scored yet"),
        (SECTIONS, "No sections yet"),
        (LIBRARY, "The model does not score this task yet"),
    ],
)
def test_an_empty_screen_says_what_to_do(app: Open, educator: Actor, page: str, words_there: str) -> None:
    assert words_there in said(app(educator, page))


def test_without_tasks_the_library_says_who_can_load_some(
    app: Open, services: Services, administrator: Actor, educator: Actor
) -> None:
    for task in services.tasks.available(administrator):
        services.tasks.set_retired(administrator, task.id, True)
    assert "No tasks yet" in said(app(educator, LIBRARY))


# Score a class


def test_a_class_is_uploaded_checked_and_submitted(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    at = choose(app(educator, SCORE), "Task", "Why does ice melt? (grade 5)")
    assert "Explain why an ice cube melts" in said(at)
    drop(at, class_csv(NAMED))
    assert "All 3 rows are fine." in said(at)
    press(at, "Score 3 answers")
    [upload], _ = services.uploads.recent(educator)
    assert (upload.status, upload.responses, upload.task_title) == (UploadStatus.QUEUED, 3, "Why does ice melt?")
    assert at.query_params["upload"] == upload.id
    assert at.title[0].value == plain("Why does ice melt?")
    assert "3 answers saved" in said(at)


def test_rows_with_problems_are_listed_and_left_out_on_request_only(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    rows = [("s1", "", "Heat."), ("", "", "No student."), ("s1", "", "Heat."), ("s4", "", ""), ("s5", "", "Sun.")]
    at = drop(app(educator, SCORE), class_csv(rows))
    problems = at.dataframe[1].value
    assert list(problems["Row"]) == [3, 4, 5]
    assert list(problems["What"]) == ["left out", "left out", "look at"]
    assert "2 rows can't be taken; 3 can." in said(at)
    assert "1 blank answer is kept for you" in said(at)
    button = next(b for b in at.button if b.label == "Score 2 answers")
    assert button.disabled
    at.checkbox[0].check()
    run(at)
    press(at, "Score 2 answers")
    assert services.uploads.recent(educator)[0][0].responses == 3


def test_other_columns_can_be_chosen(app: Open, services: Services, educator: Actor, section: SectionSummary) -> None:
    data = class_csv([("a@b.example", "First text here.", "Second text here.")], ("Mail", "One", "Two"))
    at = drop(app(educator, SCORE), data)
    choose(at, "Answers are in", "Two")
    choose(at, "Students are known by", None)
    press(at, "Score 1 answer")
    frame = services.scores.table(educator, services.uploads.recent(educator)[0][0].id).frame
    assert list(frame["text"]) == ["Second text here."]
    assert list(frame["learner"]) == ["Row 2"]


def test_the_same_column_twice_is_refused_and_the_choice_stays_open(
    app: Open, educator: Actor, section: SectionSummary
) -> None:
    at = choose(drop(app(educator, SCORE), class_csv(NAMED)), "Students are known by", "Answer")
    assert "chosen for the answer and for something else" in at.error[0].value
    assert "Score 3 answers" not in labels(at)
    choose(at, "Students are known by", "Student")
    assert not at.error


def test_a_sheet_can_be_chosen(app: Open, educator: Actor, section: SectionSummary) -> None:
    book = Workbook()
    assert book.active is not None
    book.active.append(["Student", "Answer"])
    book.active.append(["s1", "From the first sheet."])
    other = book.create_sheet("Period 3")
    other.append(["Student", "Answer"])
    for number in (1, 2):
        other.append([f"p{number}", f"From the second sheet {number}."])
    out = io.BytesIO()
    book.save(out)
    at = drop(app(educator, SCORE), out.getvalue(), "class.xlsx")
    assert "Score 1 answer" in labels(at)
    choose(at, "Sheet", "Period 3")
    assert "Score 2 answers" in labels(at)


def test_pressing_twice_with_the_same_token_writes_once(
    app: Open, services: Services, educator: Actor, section: SectionSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = drop(app(educator, SCORE), class_csv(NAMED))
    submit = services.uploads.submit

    def twice(*args: object, **kwargs: object) -> str:
        first = submit(*args, **kwargs)  # type: ignore[arg-type]
        second = submit(*args, **kwargs)  # type: ignore[arg-type]
        assert first == second
        return second

    monkeypatch.setattr(services.uploads, "submit", twice)
    press(at, "Score 3 answers")
    assert uploads_in(services) == 1


def test_a_file_that_came_before_is_warned_about_and_taken(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    upload_class(services, educator, section.id)
    at = drop(app(educator, SCORE), class_csv(NAMED))
    assert "This very file was uploaded" in at.warning[0].value
    assert plain("Why does ice melt?") in at.warning[0].value
    press(at, "Score 3 answers")
    assert uploads_in(services) == 2


def test_a_file_of_blanks_is_kept_without_scoring(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    at = drop(app(educator, SCORE), class_csv([("s1", "Ann", ""), ("s2", "Ben", "-")]))
    choose(at, "Answers are in", "Answer")
    choose(at, "Students are known by", "Student")
    choose(at, "Names are in", "Name")
    press(at, "Save without scoring")
    assert services.uploads.recent(educator)[0][0].responses == 2


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.csv", b"", "is empty"),
        ("header.csv", b"Student,Answer\n", "header"),
        ("essay.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "PDF"),
        ("*b* [x](y).csv", b"\n\n", "is empty"),
    ],
)
def test_a_bad_file_is_told_plainly_and_nothing_is_saved(
    app: Open, services: Services, educator: Actor, section: SectionSummary, name: str, data: bytes, message: str
) -> None:
    at = drop(app(educator, SCORE), data, name)
    [error] = at.error
    assert message in error.value
    assert plain(name) in error.value
    assert uploads_in(services) == 0
    drop(at, class_csv(NAMED))
    assert not at.error


def test_a_file_beyond_the_limit_is_refused(
    app: Open, services: Services, educator: Actor, section: SectionSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.uploads, "_max_bytes", 1024)
    at = drop(app(educator, SCORE), class_csv([("s1", "Ann", "long " * 1000)]))
    assert "the limit is" in at.error[0].value
    assert uploads_in(services) == 0


@pytest.mark.parametrize(
    "data",
    [
        class_csv([("s1", "Zoë", "It’s “heat”.")]).decode().encode("utf-16"),
        class_csv([("s1", "Zoë", "It’s “heat”.")]).decode().encode("cp1252"),
        class_csv([("s1", "Zoë", "It’s “heat”.")], delimiter=";"),
        class_csv([("s1", "Zoë", "It’s “heat”.")], delimiter="\t"),
    ],
    ids=["UTF-16", "cp1252", "semicolons", "tabs"],
)
def test_what_spreadsheets_write_is_read(
    app: Open, services: Services, educator: Actor, section: SectionSummary, data: bytes
) -> None:
    press(drop(app(educator, SCORE), data), "Score 1 answer")
    frame = services.scores.table(educator, services.uploads.recent(educator)[0][0].id).frame
    assert (frame["text"][0], frame["name"][0]) == ("It’s “heat”.", "Zoë")


def test_a_very_long_answer_is_cut_for_scoring_and_said_so(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    at = drop(app(educator, SCORE), class_csv([("s1", "Ann", "word " * 4000)]))
    assert "were left out for scoring" in at.dataframe[1].value["Problem"][0]
    press(at, "Score 1 answer")
    upload = services.uploads.recent(educator)[0][0]
    [answer] = desk(opened(app, educator, REVIEW, upload.id))["answers"]
    assert "cut short" in answer["badges"][1]["text"]


def test_a_task_retired_meanwhile_is_refused_and_nothing_is_saved(
    app: Open, services: Services, administrator: Actor, educator: Actor, section: SectionSummary,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    at = drop(app(educator, SCORE), class_csv(NAMED))
    submit = services.uploads.submit

    def retire_first(*args: object, **kwargs: object) -> str:
        for task in services.tasks.available(administrator):
            services.tasks.set_retired(administrator, task.id, True)
        return submit(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(services.uploads, "submit", retire_first)
    press(at, "Score 3 answers")
    assert "was retired meanwhile" in at.error[0].value
    assert uploads_in(services) == 0
    assert "No task can be scored yet" in said(run(at))


def test_a_section_put_away_meanwhile_is_refused(
    app: Open, services: Services, educator: Actor, section: SectionSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = drop(app(educator, SCORE), class_csv(NAMED))
    submit = services.uploads.submit

    def put_away_first(*args: object, **kwargs: object) -> str:
        services.sections.set_archived(educator, section.id, True)
        return submit(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(services.uploads, "submit", put_away_first)
    press(at, "Score 3 answers")
    assert "was put away meanwhile" in at.error[0].value
    assert uploads_in(services) == 0


def test_two_sections_of_one_name_are_told_apart(
    app: Open, services: Services, administrator: Actor, educator: Actor, section: SectionSummary
) -> None:
    hers = services.sections.create(administrator, section.name)
    at = app(administrator, SCORE)
    assert at.selectbox[0].options == [f"{section.name} · Edna Educator", f"{section.name} · Ada Admin"]
    choose(at, "Section", f"{section.name} · Ada Admin")
    press(drop(at, class_csv(NAMED)), "Score 3 answers")
    assert services.uploads.recent(administrator)[0][0].section_id == hers.id


# Results


def test_the_list_shows_uploads_with_their_state_in_words(
    app: Open, services: Services, educator: Actor, section: SectionSummary, scored: str
) -> None:
    upload_class(services, educator, section.id, name="second.csv")
    at = app(educator, RESULTS)
    assert "waiting" in badges(at)[0]
    assert "scored" in badges(at)[1]
    at.button(key=f"open-{scored}").click()
    run(at)
    assert at.query_params["upload"] == scored
    press(at, "All uploads")
    assert at.title[0].value == "Results"


@pytest.mark.parametrize(("page", "verb"), [(REVIEW, "Review"), (CONSISTENCY, "Open")])
def test_a_screen_that_needs_an_upload_lets_one_be_chosen_there(
    app: Open, services: Services, educator: Actor, section: SectionSummary, page: str, verb: str
) -> None:
    upload_id = upload_class(services, educator, section.id)
    at = app(educator, page)
    assert "3 answers, 0 reviewed" in said(at)
    press(at, verb)
    assert at.query_params["upload"] == upload_id
    assert verb not in labels(at)


def test_many_uploads_are_paged(app: Open, services: Services, educator: Actor, section: SectionSummary) -> None:
    for number in range(13):
        upload_class(services, educator, section.id, name=f"{number}.csv")
    at = app(educator, RESULTS)
    assert labels(at).count("Open") == 12
    at.session_state["results-page"] = 2
    assert labels(run(at)).count("Open") == 1


def test_a_waiting_upload_says_why_and_can_be_stopped(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    upload_id = upload_class(services, educator, section.id)
    at = opened(app, educator, RESULTS, upload_id)
    assert "scoring program is starting" in at.get("progress")[0].proto.text
    press(at, "Stop scoring")
    assert services.uploads.get(educator, upload_id).status is UploadStatus.CANCELLED
    run(at)
    assert "Scoring was stopped" in said(at)
    assert "Score the rest" in labels(at)
    assert [m.value for m in at.metric] == ["3", "0 of 3", "–", "3"]
    assert not at.get("plotly_chart")


def test_a_running_upload_shows_how_far_it_is(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    upload_id = upload_class(services, educator, section.id)
    set_status(services, upload_id, UploadStatus.RUNNING, scored=1)
    at = opened(app, educator, RESULTS, upload_id)
    assert "1 of 3 answers scored" in at.get("progress")[0].proto.text
    assert "scoring goes on" in said(at)


def test_a_failed_upload_says_why_and_offers_the_rest(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    upload_id = upload_class(services, educator, section.id)
    set_status(services, upload_id, UploadStatus.FAILED, error="The *graphics* card ran out of memory.")
    at = opened(app, educator, RESULTS, upload_id)
    assert plain("The *graphics* card ran out of memory.") in at.error[0].value
    press(at, "Score the rest")
    assert services.uploads.get(educator, upload_id).status is UploadStatus.QUEUED


def test_a_scored_upload_shows_figures_charts_and_every_answer(app: Open, educator: Actor, scored: str) -> None:
    at = opened(app, educator, RESULTS, scored)
    assert [m.value for m in at.metric] == ["3", "0 of 3", "0.7 of 1", "0"]
    assert len(at.get("plotly_chart")) == 2
    assert "Unreviewed scores come from the model alone" in said(at)
    table = at.dataframe[0].value
    assert set(table.iloc[:, 3]) == {"unreviewed"}
    assert list(table.iloc[:, 4]) == [1, 0, 1]


def test_scores_can_be_asked_for_again_and_decisions_stand(
    app: Open, services: Services, educator: Actor, scored: str
) -> None:
    at = press(opened(app, educator, RESULTS, scored), "Score again")
    assert services.uploads.get(educator, scored).status is UploadStatus.QUEUED
    assert "Scoring again" in said(at)


def test_a_refused_action_leaves_the_scores_on_the_screen(
    app: Open, services: Services, educator: Actor, scored: str
) -> None:
    at = opened(app, educator, RESULTS, scored)
    with services.database.write() as session:
        session.execute(update(StudentVersion).values(shapes={}))
    press(at, "Score again")
    assert "has no scoring model yet" in at.error[0].value
    assert len(at.dataframe[0].value) == 3


def test_criteria_of_one_name_each_have_their_column(services: Services, educator: Actor, scored: str) -> None:
    table = services.scores.table(educator, scored)
    [heat] = table.task.criteria
    task = replace(table.task, criteria=(replace(heat, name="Total"), replace(heat, id="again", name="Total")))
    frame = table.frame.assign(**{"again": 0, "again:probability": 0.5})
    shown, headings = display_frame(replace(table, task=task, frame=frame))
    assert [headings[name]["label"] for name in shown].count("Total") == 3
    assert list(shown.iloc[:, 7]) == [0, 0, 0]


def test_what_the_check_said_is_kept_with_the_upload(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    upload_id = upload_class(services, educator, section.id, [("s1", "Ann", ""), ("s2", "Ben", "Heat.")])
    score(services, upload_id, {3: 1})
    at = opened(app, educator, RESULTS, upload_id)
    assert [e.label for e in at.expander] == ["About the file (1 remark)"]
    assert list(at.dataframe[1].value["Taken"]) == ["yes"]
    assert list(at.dataframe[0].value.iloc[:, -1]) == ["blank", ""]


def test_somebody_elses_upload_is_not_there(app: Open, services: Services, administrator: Actor, scored: str) -> None:
    stranger = another_educator(services, administrator, "Sam", "sam@school.example", PASSWORD)
    for page in (RESULTS, REVIEW):
        at = opened(app, stranger, page, scored)
        assert "no such upload" in at.error[0].value
        assert "Ann" not in said(at)
        assert not run(at).error


# What people typed is text


def test_typed_names_are_never_read_as_markup(
    app: Open, services: Services, administrator: Actor, section: SectionSummary
) -> None:
    teacher = another_educator(services, administrator, NASTY, "nasty@school.example", PASSWORD)
    mine = services.sections.create(teacher, NASTY)
    upload_id = upload_class(services, teacher, mine.id, [(NASTY, NASTY, "Heat.")], name=f"{NASTY}.csv")
    score(services, upload_id, {2: 1})
    [response_id] = response_ids(services, teacher, upload_id)
    services.review.decide(teacher, response_id, 0, {"heat": 0}, "nonce", NASTY)
    screens = [app(teacher, RESULTS), app(teacher, SECTIONS), app(teacher, ACCOUNT)]
    screens += [opened(app, teacher, page, upload_id) for page in (RESULTS, REVIEW)]
    screens.append(press(app(teacher, SECTIONS), "Put away"))
    for at in screens:
        # The sidebar is not theirs to draw.
        shown = [str(e.value) for kind in ("title", "markdown", "caption", "toast") for e in at.main.get(kind)]
        assert any(plain("*A*") in text for text in shown)
        assert not [text for text in shown if "*A*" in text.replace(r"\*A\*", "")]
        assert not [text for text in shown if "[x](http" in text or ":red[z]" in text or ":material/home:" in text]


def test_a_prompt_s_pictures_are_not_fetched_from_elsewhere() -> None:
    assert task_card.passage("![x](http://evil.example/x.png)").startswith("!\\[")


# Sections


def test_a_section_is_made_renamed_and_put_away(app: Open, services: Services, educator: Actor) -> None:
    at = app(educator, SECTIONS)
    at.text_input[0].set_value("7b")
    press(at, "Make a section")
    [made] = services.sections.mine(educator)
    assert "0 students · 0 uploads · taught by Edna Educator" in said(at)
    next(field for field in at.text_input if field.label == "Name").set_value("7c")
    press(at, "Save")
    assert services.sections.mine(educator)[0].name == "7c"
    at.button(key=f"away-{made.id}").click()
    run(at)
    assert not services.sections.mine(educator)
    assert "put away; nothing was deleted" in said(at)
    at.button(key=f"back-{made.id}").click()
    run(at)
    assert [s.id for s in services.sections.mine(educator)] == [made.id]


def test_a_section_without_a_name_is_refused(app: Open, services: Services, educator: Actor) -> None:
    at = app(educator, SECTIONS)
    at.text_input[0].set_value("   ")
    press(at, "Make a section")
    assert "needs a name" in at.error[0].value
    assert not services.sections.mine(educator)


def test_sharing_lets_a_colleague_in(
    app: Open, services: Services, administrator: Actor, educator: Actor, section: SectionSummary
) -> None:
    colleague = another_educator(services, administrator, "Cora", "cora@school.example", PASSWORD)
    services.sections.create(educator, "Another")
    at = app(educator, SECTIONS)
    mail = [field for field in at.text_input if field.label == "Colleague's e-mail address"]
    mail[1].set_value("nobody@school.example")
    [button for button in at.button if button.label == "Share"][1].click()
    run(at)
    assert plain("Nobody here has that e-mail address") in at.error[0].value
    # The other section and what was typed are still there.
    assert said(at).count("taught by") == 2
    mail = [field for field in at.text_input if field.label == "Colleague's e-mail address"]
    assert mail[1].value == "nobody@school.example"
    mail[1].set_value(colleague.email)
    [button for button in at.button if button.label == "Share"][1].click()
    run(at)
    assert [s.id for s in services.sections.mine(colleague)] == [section.id]
    assert "is shared." in said(at)


# Tasks


def test_the_library_shows_prompt_rubric_and_evidence(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    at = choose(app(educator, LIBRARY), "Task", "Why does ice melt?")
    assert "| Level | What it takes |" in said(at)
    assert "| **1** | **There** · Heat moves from the plate to the ice. |" in said(at)
    assert "2 labelled answers came with this task" in said(at)
    assert "not enough evidence" in said(at)


# Account


def change(at: AppTest, current: str, new: str, again: str) -> AppTest:
    for field, value in zip(at.text_input, (current, new, again), strict=True):
        field.set_value(value)
    return press(at, "Change password")


@pytest.mark.parametrize(
    ("current", "new", "again", "message"),
    [
        (PASSWORD, "another sentence", "another sentense", "differ"),
        ("not my password", "another sentence", "another sentence", "current password"),
        (PASSWORD, "short", "short", "10"),
    ],
)
def test_a_password_change_that_fails_says_why(
    app: Open, services: Services, educator: Actor, current: str, new: str, again: str, message: str
) -> None:
    at = change(app(educator, ACCOUNT), current, new, again)
    assert message in at.error[0].value
    assert services.accounts.sign_in("edna@school.example", PASSWORD, "127.0.0.1")


def test_a_password_is_changed(app: Open, services: Services, educator: Actor) -> None:
    at = change(app(educator, ACCOUNT), PASSWORD, "another sentence", "another sentence")
    assert not at.error
    assert "Password changed" in said(at)
    assert services.accounts.sign_in("edna@school.example", "another sentence", "127.0.0.1")


def test_with_a_first_password_only_the_account_is_there(app: Open, educator: Actor) -> None:
    at = app(replace(educator, must_change_password=True))
    assert at.title[0].value == "Choose your own password"
    with pytest.raises(ValueError, match="score"):
        at.switch_page(SCORE)


# Who gets in


@pytest.mark.parametrize("page", [SCORE, RESULTS, REVIEW, SECTIONS, LIBRARY])
def test_a_tab_that_outlives_its_sign_out_shows_nothing(
    app: Open, services: Services, educator: Actor, scored: str, page: str
) -> None:
    at = opened(app, educator, page, scored)
    services.accounts.sign_out(educator)
    run(at)
    assert "signed out" in at.info[0].value
    assert "Ann" not in said(at)
    assert not at.dataframe
    assert not at.get("bidi_component")


def test_without_a_session_there_is_only_the_way_to_sign_in(
    app: Open, educator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = app(educator)

    def nobody() -> Actor:
        raise NotSignedIn("You are signed out. Sign in again to go on.")

    monkeypatch.setattr(session, "current_actor", nobody)
    run(at)
    assert at.title[0].value == "Evenhand"
    assert "signed out" in at.info[0].value
    assert not at.button


def test_a_long_pause_signs_out(app: Open, educator: Actor, section: SectionSummary) -> None:
    at = app(replace(educator, idle_timeout=timedelta(0)), SCORE)
    assert "signed out after a long pause" in at.info[0].value
    assert not at.file_uploader


@pytest.mark.parametrize("module", [words, progress, task_card])
def test_the_examples_in_components_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0
