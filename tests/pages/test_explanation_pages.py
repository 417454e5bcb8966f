"""Why a score: the panel beside a response and the administrator's screen, over stored explanations."""

from __future__ import annotations

import dataclasses
import doctest
import re

import pytest
from sqlalchemy import select, update
from streamlit.testing.v1 import AppTest

from db.tables import Explanation as Row
from db.tables import Response, ResponseGates, Trial, Upload
from pages.components import explanation_charts, highlights
from pages.components.explanation_parts import sure_sentence
from pages.components.highlights import Meaning, highlighted
from scoring.domain import Criterion, CriterionScore, Level
from scoring.explain.words import word_spans
from scoring.services.actors import Actor
from scoring.services.house import Services
from scoring.services.sections import SectionSummary
from tests.pages.driving import NASTY, REVIEW, Open, labels, opened, press, run, said
from tests.pages.explaining import (
    answer_trials,
    examples,
    explanation,
    finish,
    store,
    write_profile,
)
from tests.pages.school import response_ids, score, upload_class

INSIDE = "admin/experts.py"
TEXT = "Sugar is made from light, not from soil."


@pytest.fixture
def response(services: Services, educator: Actor, section: SectionSummary) -> tuple[str, int]:
    """An answer to a task of three levels; the model gives 1 and is 60% sure."""
    rows = [("s1", "Ann", TEXT), ("s2", "Ben", "For food.")]
    upload_id = upload_class(services, educator, section.id, rows, task="plant-light")
    score(services, upload_id, {2: 1, 3: 2}, sure=0.6)
    return upload_id, response_ids(services, educator, upload_id)[0]


def html(at: AppTest) -> str:
    """All that is drawn as HTML."""
    return "\n".join(element.proto.body for element in at.get("html"))


def panel(app: Open, actor: Actor, response: tuple[str, int]) -> AppTest:
    """The review screen with the panel open."""
    at = opened(app, actor, REVIEW, *response)
    at.toggle[0].set_value(True)
    return run(at)


def whole(app: Open, services: Services, actor: Actor, response: tuple[str, int], **details: object) -> AppTest:
    """The panel over a whole explanation; sugar raised the score and soil lowered it."""
    services.explanations.of(actor, response[1])
    values = [0.6, 0.0, 0.0, 0.0, 0.3, 0.0, 0.0, -0.5]
    finish(services, response[1], explanation(TEXT, "score", (0, 1, 2), 1, values, **details))  # type: ignore[arg-type]
    return panel(app, actor, response)


def jobs(services: Services) -> int:
    with services.database.read() as session:
        return len(list(session.scalars(select(Row))))


@pytest.mark.parametrize("module", [highlights, explanation_charts])
def test_examples_in_the_docstrings_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


# The panel --------------------------------------------------------------------------------------------


def test_nothing_is_asked_for_until_somebody_opens_the_panel(
    app: Open, services: Services, educator: Actor, response: tuple[str, int]
) -> None:
    at = opened(app, educator, REVIEW, *response)
    assert jobs(services) == 0
    at.toggle[0].set_value(True)
    run(at)
    assert jobs(services) == 1
    assert "looking at its own score" in said(at)


def test_the_first_look_says_that_it_is_not_tested(
    app: Open, services: Services, educator: Actor, response: tuple[str, int]
) -> None:
    services.explanations.of(educator, response[1])
    look = explanation(TEXT, "score", (0, 1, 2), 1, [0.6], whole=False)
    store(services, response[1], status="first", first=look.to_json())
    at = panel(app, educator, response)
    assert "not tested yet" in said(at)
    assert ">Sugar</mark>" in html(at)


def test_words_carry_sign_strength_value_and_words_for_readers(
    app: Open, services: Services, educator: Actor, response: tuple[str, int]
) -> None:
    at = whole(app, services, educator, response)
    page = html(at)
    up, down = ("raises the score", "lowers the score")
    for word, kind, title, said_of_it in (
        ("Sugar", "up d4", f"{up} by 0.60 points", f"{up} very much"),
        ("light,", "up d2", f"{up} by 0.30 points", f"{up} somewhat"),
        ("soil.", "down d4", f"{down} by 0.50 points", f"{down} very much"),
    ):
        assert f'<mark class="{kind}" title="{title}" aria-description="{said_of_it}">{word}</mark>' in page
    assert "What raises the score most: Sugar, light,. What lowers the score most: soil.." in page
    assert "Tested by taking words out" in said(at)
    assert "raises the score, from a little to very much" in page


def test_the_choice_between_two_levels_can_be_asked(
    app: Open, services: Services, educator: Actor, response: tuple[str, int]
) -> None:
    at = whole(app, services, educator, response)
    question = next(group for group in at.button_group if group.label == "Question")
    assert list(question.options) == ["What moved the score", "Why 1 and not 0", "Why 1 and not 2"]
    question.set_value("Why 1 and not 2")
    run(at)
    page = html(at)
    assert 'title="speaks for level 2 by 1.20 log-odds"' in page
    assert 'title="speaks for level 1 by 1.00 log-odds"' in page
    assert "1 or 2." in said(at)


def test_marks_that_failed_their_test_are_withheld_with_a_sentence(
    app: Open, services: Services, educator: Actor, response: tuple[str, int]
) -> None:
    at = whole(app, services, educator, response, shown=False)
    assert "No words are highlighted" in said(at)
    assert "<mark" not in html(at)
    assert "Sugar is made from light" in html(at)


def test_what_the_model_did_not_read_is_set_apart(
    app: Open, services: Services, educator: Actor, response: tuple[str, int]
) -> None:
    at = whole(app, services, educator, response, words_read=6, note="Only its first 6 of 8 words count.")
    assert "Only its first 6 of 8 words count" in said(at)
    assert '<mark class="unread" title="The model did not read this far.">soil.</mark>' in html(at)


def test_sureness_is_said_in_a_sentence(
    app: Open, services: Services, educator: Actor, response: tuple[str, int]
) -> None:
    at = whole(app, services, educator, response)
    assert "not very sure** of level 1: it finds it 60% likely" in said(at)


def test_neighbours_show_scores_and_differences(
    app: Open, services: Services, educator: Actor, response: tuple[str, int]
) -> None:
    services.explanations.of(educator, response[1])
    [example] = examples(services, "plant-light")
    neighbour = {"answer": ["example", example], "similarity": 0.83, "ours": [[0, 5]], "theirs": [[0, 7]]}
    finish(services, response[1], explanation(TEXT, "score", (0, 1, 2), 1), neighbours=[neighbour])
    at = opened_at(panel(app, educator, response), "Similar answers")
    assert "People gave **1** of 2 · 83% alike · from the task's examples" in said(at)
    assert '<mark class="differs">To make</mark> sugar.' in html(at)


def opened_at(at: AppTest, part: str) -> AppTest:
    """With one of the panel's tabs in front."""
    at.session_state["why-part"] = part
    return run(at)


def test_experts_are_shown_by_what_they_serve_once_that_is_known(
    app: Open, services: Services, educator: Actor, response: tuple[str, int]
) -> None:
    at = opened_at(whole(app, services, educator, response), "Experts")
    assert len(at.get("plotly_chart")) >= 2
    assert "Words typical of its answers" not in said(at)
    write_profile(services)
    run(at)
    assert "Words typical of its answers: *heat\\**" in said(at)
    assert "75% of the points on average, and 25% to the rest" in said(at)
    assert "An answer to another task: people gave **1 point**" in said(at)
    assert "People gave **1** of 2" in said(at)


def test_a_model_without_experts_has_no_tab_for_them(
    app: Open, services: Services, educator: Actor, response: tuple[str, int]
) -> None:
    at = whole(app, services, educator, response, gates=())
    assert [tab.label for tab in at.tabs] == ["How sure", "Similar answers", "Try another wording"]


def test_a_task_that_is_scored_by_comparing_says_so(
    app: Open, services: Services, educator: Actor, response: tuple[str, int]
) -> None:
    services.explanations.of(educator, response[1])
    [example] = examples(services, "plant-light")
    neighbour = {"answer": ["example", example], "similarity": 0.83, "ours": [[0, 5]], "theirs": [[0, 7]]}
    whole = dataclasses.replace(explanation(TEXT, "score", (0, 1, 2), 1), gate_weights=())
    finish(services, response[1], whole, neighbours=[neighbour])
    at = opened_at(panel(app, educator, response), "Similar answers")
    assert "scores by comparing with those, in meaning and in wording" in said(at)


def test_a_failure_is_told_and_can_be_tried_again(
    app: Open, services: Services, educator: Actor, response: tuple[str, int]
) -> None:
    services.explanations.of(educator, response[1])
    store(services, response[1], status="failed", error="The version *of* the model can't be loaded any more.")
    at = panel(app, educator, response)
    assert "The version \\*of\\* the model can't be loaded any more" in at.error[0].value
    press(at, "Try once more")
    assert "looking at its own score" in said(at)


def test_an_answer_without_a_score_says_so(
    app: Open, services: Services, educator: Actor, section: SectionSummary
) -> None:
    upload_id = upload_class(services, educator, section.id)
    score(services, upload_id, {2: 1})
    at = panel(app, educator, (upload_id, response_ids(services, educator, upload_id)[1]))
    assert "gave no score here" in said(at)


def test_a_blind_answer_has_no_explanation_on_the_screen(
    app: Open, services: Services, educator: Actor, response: tuple[str, int]
) -> None:
    with services.database.write() as session:
        session.execute(update(Response).where(Response.id == response[1]).values(blind=True))
    at = opened(app, educator, REVIEW, *response)
    for toggle in at.toggle:
        toggle.set_value(True)
    run(at)
    assert jobs(services) == 0
    assert "<mark" not in html(at)


@pytest.mark.parametrize("text", [NASTY, "</div><b onclick=alert(1)>x", "&lt;i&gt; &amp;", "😀 👍🏽", "شرح قصير"])
def test_a_learners_text_is_never_read_as_html_or_markdown(
    app: Open, services: Services, educator: Actor, section: SectionSummary, text: str
) -> None:
    upload_id = upload_class(services, educator, section.id, [("s1", "", text)], task="plant-light")
    score(services, upload_id, {2: 1})
    [answer] = response_ids(services, educator, upload_id)
    services.explanations.of(educator, answer)
    finish(services, answer, explanation(text, "score", (0, 1, 2), 1, [0.5] * len(word_spans(text))))
    at = panel(app, educator, (upload_id, answer))
    page = re.sub(r"<style>.*?</style>", "", html(at), flags=re.DOTALL)
    tags = set(re.findall(r"</?([a-z]+)", page))
    assert tags <= {"div", "mark", "span", "br"}
    assert 'title="raises the score' in page


# What if ----------------------------------------------------------------------------------------------


def test_another_wording_is_tried_and_what_moves_is_shown(
    app: Open, services: Services, educator: Actor, response: tuple[str, int]
) -> None:
    at = opened_at(whole(app, services, educator, response), "Try another wording")
    assert at.text_area[0].value == TEXT
    at.text_area[0].set_value("Light makes <b>sugar</b>.")
    press(at, "See what changes")
    assert "reads the new wording" in said(at)
    with services.database.read() as session:
        assert session.scalars(select(Trial.text)).one() == "Light makes <b>sugar</b>."
    answer_trials(
        services,
        explanation("Light makes <b>sugar</b>.", "score", (0, 1, 2), 2, [0.4], whole=False, expected=1.9),
    )
    run(at)
    assert [(metric.label, metric.value, metric.delta) for metric in at.metric] == [("Score", "1 → 2", "+0.90 points")]
    assert "&lt;b&gt;sugar&lt;/b&gt;" in html(at)
    assert 'title="raises the score by 0.40 points"' in html(at)
    assert ">Light</mark>" in html(at)


def test_no_words_at_all_can_be_tried(
    app: Open, services: Services, educator: Actor, response: tuple[str, int]
) -> None:
    at = opened_at(whole(app, services, educator, response), "Try another wording")
    at.text_area[0].set_value("")
    press(at, "See what changes")
    answer_trials(services, explanation("", "score", (0, 1, 2), 0, whole=False, note="The answer has no words."))
    run(at)
    assert "(no words)" in html(at)
    assert "The answer has no words" in said(at)


def test_a_trial_that_failed_says_why(
    app: Open, services: Services, educator: Actor, response: tuple[str, int]
) -> None:
    at = opened_at(whole(app, services, educator, response), "Try another wording")
    press(at, "See what changes")
    with services.database.write() as session:
        session.execute(update(Trial).values(error="Something went wrong."))
    run(at)
    assert at.error[0].value == "Something went wrong."


def test_the_trial_of_one_answer_does_not_show_beside_another(
    app: Open, services: Services, educator: Actor, response: tuple[str, int]
) -> None:
    at = opened_at(whole(app, services, educator, response), "Try another wording")
    press(at, "See what changes")
    answer_trials(services, explanation(TEXT, "score", (0, 1, 2), 2, whole=False))
    run(at)
    assert at.metric
    other = response_ids(services, educator, response[0])[1]
    services.explanations.of(educator, other)
    finish(services, other, explanation("For food.", "score", (0, 1, 2), 2))
    at.query_params["response"] = str(other)
    run(at)
    assert not at.metric


# Words ------------------------------------------------------------------------------------------------


LEVELS = Criterion("c", "C", tuple(Level(value, "") for value in range(3)))


@pytest.mark.parametrize(
    ("shares", "held", "sentence"),
    [
        ((0.02, 0.95, 0.03), (1,), "very sure** of level 1: it finds it 95% likely. No other level is in its range"),
        ((0.2, 0.7, 0.1), (0, 1), "fairly sure** of level 1: it finds it 70% likely. Its range is **0 to 1**"),
        ((0.3, 0.4, 0.3), (0, 1, 2), "unsure** of level 1: it finds it 40% likely. It can't rule out any level"),
        ((0.3, 0.5, 0.2), (), "not very sure** of level 1: it finds it 50% likely."),
    ],
)
def test_sureness_in_words(shares: tuple[float, ...], held: tuple[int, ...], sentence: str) -> None:
    said = sure_sentence(LEVELS, CriterionScore("c", 1, 1.0, shares, held), 0.9)
    assert sentence in said
    assert ("90 of 100 answers" in said) is bool(held)


def test_an_unread_end_and_faint_words_are_not_marked_as_moving_the_score() -> None:
    page = highlighted("a b c d", [(0, 1), (2, 3), (4, 5), (6, 7)], [1.0, 0.01, -1.0, 0.0], 1.0, Meaning(), 3)
    body = page.split("</style>")[1]
    assert body.count("<mark") == 3
    assert '<mark class="unread"' in body
    assert " b " in body


# For administrators -----------------------------------------------------------------------------------


def test_until_the_worker_found_out_the_screen_says_to_look_again(
    app: Open, administrator: Actor, section: SectionSummary
) -> None:
    at = app(administrator, INSIDE)
    assert "Look again in a minute or two" in said(at)


def test_experts_by_task_level_and_day(
    app: Open, services: Services, administrator: Actor, educator: Actor, scored: str
) -> None:
    write_profile(services)
    at = app(administrator, INSIDE)
    assert "Every expert is used by some task" in said(at)
    assert "No answers to this task were scored in the last 90 days" in said(at)
    charts = len(at.get("plotly_chart"))
    with services.database.write() as session:
        for response_id in session.scalars(select(Response.id)):
            session.add(ResponseGates(response_id=response_id, student_version_id=1, weights=[[0.7, 0.2, 0.1]] * 2))
    next(box for box in at.selectbox if box.label == "Task").set_value("Why does ice melt?")
    run(at)
    assert len(at.get("plotly_chart")) == charts + 1
    assert "in 3 scored answers, by day" in said(at)
    next(box for box in at.selectbox if box.label == "Answers that the model gave").set_value(
        "Names the transfer of heat: 0"
    )
    run(at)
    assert "in 1 scored answer, by day" in said(at)


def test_unused_experts_and_collapse_are_warned_of(
    app: Open, services: Services, administrator: Actor, section: SectionSummary
) -> None:
    write_profile(services, unused=[(1, 2)], collapsed=[0])
    at = app(administrator, INSIDE)
    warnings = [warning.value for warning in at.warning]
    assert warnings[0].startswith("First step: one expert does nearly everything")
    assert warnings[1] == "No task makes use of expert 3 (second step)."


def inside(at: AppTest, part: str) -> AppTest:
    at.session_state["inside"] = part
    return run(at)


def test_words_of_a_class_from_the_answers_that_are_explained(
    app: Open, services: Services, administrator: Actor, educator: Actor, section: SectionSummary
) -> None:
    rows = [(f"s{i}", "", f"Light makes sugar {i}.") for i in range(6)]
    upload_id = upload_class(services, educator, section.id, rows, task="plant-light")
    score(services, upload_id, {row: 1 for row in range(2, 8)})
    with services.database.write() as session:
        session.execute(update(Upload).where(Upload.id == upload_id).values(student_version_id=1))
    at = inside(app(administrator, INSIDE), "Words of a class")
    assert "0 of 6 answers are explained so far" in said(at)
    press(at, "Explain them")
    assert "Stop explaining" in labels(at)
    for i, response_id in enumerate(response_ids(services, educator, upload_id)):
        text = f"Light makes sugar {i}."
        finish(services, response_id, explanation(text, "score", (0, 1, 2), 1, [0.5 + i / 100, -0.2 - i / 100, 0, 0]))
    run(at)
    words = [list(frame.value["Word"]) for frame in at.dataframe if "Word" in frame.value]
    assert words[:2] == [["light"], ["makes"]]
    assert "Not much evidence: 6 answers" in said(at)


def test_where_people_decided_otherwise_the_words_show_why(
    app: Open, services: Services, administrator: Actor, educator: Actor, response: tuple[str, int]
) -> None:
    at = inside(app(administrator, INSIDE), "Where people decided otherwise")
    next(box for box in at.selectbox if box.label == "Task").set_value("Plants and light")
    run(at)
    assert "no person's decision that stands differs" in said(at)
    view = services.review.response(educator, response[1])
    services.review.decide(educator, response[1], view.revision, {"score": 0}, "n", "wrong way round")
    run(at)
    assert "Model **1** · person **0** · the model was kinder" in said(at)
    assert "Not explained yet" in said(at)
    press(at, "Explain them")
    assert jobs(services) == 1
    finish(services, response[1], explanation(TEXT, "score", (0, 1, 2), 1, [0.6]))
    run(at)
    assert ">Sugar</mark>" in html(at)
    view = services.review.response(educator, response[1])
    services.review.undo(educator, response[1], view.revision, "u")
    run(at)
    assert "no person's decision that stands differs" in said(at)
