"""House rules, comments, urgent signs and the audit log's filters, driven as people do, over a real database."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from db.tables import HouseRule, Response, utc_now
from pages.components.marked import MARK, marked
from pages.components.words import plain
from scoring.services.actors import Actor
from scoring.services.alerts import raise_alerts
from scoring.services.audit import AuditFilter
from scoring.services.house import Services
from scoring.services.rules import ALERTS, BLIND, OVERRIDE_REASONS
from tests.pages.conftest import PASSWORD
from tests.pages.driving import COMMENTS, CONSISTENCY, RESULTS, URGENT, Open, opened, said
from tests.pages.school import another_educator, hire_student, response_ids, score, upload_class

RULES, AUDIT = "admin/rules.py", "admin/audit.py"
DARK = "It is cold <b>&</b> $x$.\ni want to kill myself"
ROWS = [("s1", "Ann", "Heat flows into it."), ("s2", "Ben", DARK), ("s3", "Cat", "heat flows into it")]


def run(at: Any) -> AppTest:
    """Run the script again after a change; of the whole screen or of one of its widgets."""
    after: AppTest = at.run()
    assert not after.exception
    return after


def press(at: AppTest, label: str) -> AppTest:
    next(button for button in at.button if button.label == label).click()
    return run(at)


@pytest.fixture
def upload(services: Services, educator: Actor) -> str:
    """Three answers, the first and the third alike, the second with an urgent sign; the model says no, yes, yes."""
    hire_student(services)
    upload_id = upload_class(services, educator, services.sections.create(educator, "Grade 5").id, ROWS)
    score(services, upload_id, {2: 0, 3: 1, 4: 1})
    first, dark, third = response_ids(services, educator, upload_id)
    with services.database.write() as session:
        for response_id in (first, third):
            session.get_one(Response, response_id).alike_group = "same"
        raise_alerts(session, [(dark, DARK)])
    return upload_id


# House rules


def test_the_rules_show_their_defaults_and_that_nobody_chose_them(app: Open, administrator: Actor) -> None:
    at = app(administrator, RULES)
    assert at.number_input(key="blind-share").value == 10
    assert said(at).count("As delivered") == 3
    assert "In a class of 30, 3 answers come up without the model’s score" in said(at)


def test_moving_the_share_says_what_it_means_before_it_is_saved(
    app: Open, services: Services, administrator: Actor
) -> None:
    at = app(administrator, RULES)
    run(at.number_input(key="blind-share").set_value(2))
    assert "1 answer comes up" in said(at)
    run(at.number_input(key="blind-share").set_value(100))
    assert "Every answer is scored by a person before" in said(at)
    run(at.number_input(key="blind-share").set_value(0))
    assert "nothing can be said" in said(at)
    assert services.rules.get_all(administrator)[BLIND].changed_at is None
    at = press(at, "Save the share")
    assert services.rules.get_all(administrator)[BLIND].value == {"share": 0.0}
    assert "Changed by Ada Admin" in said(at)


def test_reasons_are_saved_one_a_line_and_a_bad_list_is_told_and_kept(
    app: Open, services: Services, administrator: Actor
) -> None:
    at = app(administrator, RULES)
    at.text_area(key="reasons-list").set_value("One\n\nTwo *stars*")
    at = press(at, "Save the reasons")
    assert services.rules.get_all(administrator)[OVERRIDE_REASONS].value["reasons"] == ["One", "Two *stars*"]
    at.text_area(key="reasons-list").set_value("x" * 61)
    at = press(at, "Save the reasons")
    assert "61 characters" in at.error[0].value
    assert at.text_area(key="reasons-list").value == "x" * 61
    assert services.rules.get_all(administrator)[OVERRIDE_REASONS].value["reasons"] == ["One", "Two *stars*"]


def test_people_are_chosen_by_name_and_the_deactivated_are_not_offered(
    app: Open, services: Services, administrator: Actor, educator: Actor
) -> None:
    at = app(administrator, RULES)
    assert at.multiselect(key="alert-people").options == ["Ada Admin", "Edna Educator"]
    at.multiselect(key="alert-people").set_value(["Edna Educator"])
    press(at, "Save who is told")
    assert services.rules.get_all(administrator)[ALERTS].value == {"people": [educator.user_id]}
    services.accounts.set_active(administrator, educator.user_id, False)
    at = app(administrator, RULES)
    assert at.multiselect(key="alert-people").options == ["Ada Admin"]
    assert at.multiselect(key="alert-people").value == []


def test_an_educator_has_no_house_rules(app: Open, educator: Actor) -> None:
    at = app(educator)
    assert not at.exception
    with pytest.raises(ValueError, match="rules"):
        at.switch_page(RULES).run()


# Comments


def test_drafts_say_that_they_are_the_rubrics_words_until_saved(app: Open, services: Services, educator: Actor) -> None:
    at = app(educator, COMMENTS)
    run(at.selectbox(key="feedback-task").set_value("Why does ice melt?"))
    assert "draft: the rubric's own words" in said(at)
    assert [area.value for area in at.text_area] == ["No heat is named.", "Heat moves from the plate to the ice."]
    at.text_area[0].set_value("Look at the plate once more.")
    at = press(at, "Make these mine")
    assert "draft:" not in said(at)
    assert [area.value for area in at.text_area] == [
        "Look at the plate once more.", "Heat moves from the plate to the ice.",
    ]  # fmt: skip
    at = press(at, "Back to the rubric's words")
    assert [area.value for area in at.text_area] == ["No heat is named.", "Heat moves from the plate to the ice."]


def test_comments_of_each_task_stand_apart(app: Open, services: Services, educator: Actor) -> None:
    at = app(educator, COMMENTS)
    assert [area.value for area in at.text_area] == ["0 ideas", "1 ideas", "2 ideas"]
    at.text_area[2].set_value("")
    at = press(at, "Make these mine")
    assert [area.value for area in at.text_area] == ["0 ideas", "1 ideas", ""]
    run(at.selectbox(key="feedback-task").set_value("Why does ice melt?"))
    assert "draft: the rubric's own words" in said(at)


# Audit log


def test_the_audit_log_is_filtered_by_person_object_and_day(
    app: Open, services: Services, administrator: Actor, educator: Actor
) -> None:
    section = services.sections.create(educator, "Grade 5")
    at = app(administrator, AUDIT)
    run(at.selectbox(key="audit-person").set_value("Edna Educator"))
    assert set(at.dataframe[0].value["Who"]) == {"Edna Educator"}
    run(at.selectbox(key="audit-object").set_value("section"))
    run(at.text_input(key="audit-number").set_value(f" {section.id} "))
    assert list(at.dataframe[0].value["What"]) == ["made a section"]
    today = utc_now().date()
    run(at.date_input(key="audit-since").set_value(today))
    assert len(at.dataframe[0].value) == 1
    run(at.date_input(key="audit-since").set_value(today + timedelta(days=1)))
    assert "No such events yet" in said(at)
    run(at.date_input(key="audit-since").set_value(None))
    run(at.date_input(key="audit-until").set_value(date(2020, 1, 1)))
    assert "No such events yet" in said(at)


def test_the_program_itself_is_a_person_to_filter_by(app: Open, administrator: Actor) -> None:
    at = app(administrator, AUDIT)
    run(at.selectbox(key="audit-person").set_value("Evenhand itself"))
    assert set(at.dataframe[0].value["Who"]) == {"Evenhand itself"}


def test_the_audit_log_can_be_downloaded(app: Open, services: Services, administrator: Actor) -> None:
    at = app(administrator, AUDIT)
    assert [button.proto.label for button in at.get("download_button")] == ["Download these events (CSV)"]
    assert services.audit.events(administrator, AuditFilter("audit."))[1] == 0, "offering is not downloading"


# Urgent signs


def test_the_banner_is_on_every_screen_of_those_who_are_told(
    app: Open, services: Services, administrator: Actor, educator: Actor, upload: str
) -> None:
    for page in ("", COMMENTS, URGENT, RESULTS, "educator/account.py"):
        assert "**1 answer may tell of harm.**" in said(app(educator, page)), page
    assert "may tell of harm" not in said(app(administrator))
    [response] = [alert.response_id for alert in services.alerts.all(educator)[0]]
    services.alerts.handle(educator, response, "Spoke with Ben.")
    assert "may tell of harm" not in said(app(educator))


def test_nobody_sees_a_banner_before_choosing_a_password(
    app: Open, services: Services, administrator: Actor, educator: Actor, upload: str
) -> None:
    services.accounts.reset_password(administrator, educator.user_id)
    _, first = services.accounts.add_person(administrator, "New", "new@school.example", administrator.role)
    newcomer = services.accounts.resume(services.accounts.sign_in("new@school.example", first, "127.0.0.1"))
    assert "may tell of harm" not in said(app(newcomer))


def test_an_answer_shows_only_when_asked_for_and_each_opening_is_on_record(
    app: Open, services: Services, administrator: Actor, educator: Actor, upload: str
) -> None:
    def looks() -> int:
        return services.audit.events(administrator, AuditFilter("alert.read"))[1]

    at = app(educator, URGENT)
    assert "s2" in said(at)
    assert "A person must read each" in at.warning[0].value
    assert "kill myself" not in str(at)
    assert looks() == 0
    at = press(at, "Read the answer")
    bodies = [element.proto.body for element in at.get("html")]
    [shown] = [body for body in bodies if "<mark" in body]
    assert f'<mark style="{MARK}">kill myself</mark>' in shown
    assert "&lt;b&gt;&amp;&lt;/b&gt; $x$" in shown
    run(at)
    assert looks() == 1
    at = press(press(at, "Close the answer"), "Read the answer")
    assert looks() == 2


def test_dealing_with_it_asks_for_a_note_and_can_be_taken_up_again(
    app: Open, services: Services, educator: Actor, upload: str
) -> None:
    at = press(app(educator, URGENT), "Save")
    assert "Say in 1 to 2,000 characters what was done" in at.error[0].value
    at.text_area[0].set_value("Spoke with *Ben*.")
    at = press(at, "Save")
    assert "No answer waits" in said(at)
    assert services.alerts.waiting(educator) == 0
    at = run(at.radio(key="alerts-which").set_value("Dealt with"))
    assert plain("Spoke with *Ben*.") in said(at)
    at = press(at, "Take it up again")
    assert services.alerts.waiting(educator) == 1


def test_marked_text_is_never_read_as_html() -> None:
    text = "<script>x</script> & harm"
    assert marked(text, []).count("<") == 2
    assert f'&amp; <mark style="{MARK}">harm</mark></div>' in marked(text, [(21, 25)])


# Consistency


def decide(services: Services, educator: Actor, upload: str, levels: dict[int, int]) -> None:
    for number, level in levels.items():
        response = response_ids(services, educator, upload)[number]
        view = services.review.response(educator, response)
        services.review.decide(
            educator, response, view.revision, {"heat": level}, f"n{number}-{level}", "because", None
        )


def test_alike_answers_with_different_levels_are_made_alike(
    app: Open, services: Services, educator: Actor, upload: str
) -> None:
    at = opened(app, educator, CONSISTENCY, upload)
    assert "No two alike answers have different levels" in said(at)
    decide(services, educator, upload, {0: 0, 1: 1, 2: 1})
    at = run(at)
    assert "1 pair that differs" in said(at)
    at = press(at, "Give both these levels")
    assert "Choose a level for each criterion" in at.error[0].value
    at.radio[0].set_value(1)
    at.text_input[0].set_value("both name the flow")
    at = press(at, "Give both these levels")
    assert not at.error
    assert "No two alike answers have different levels" in said(at)
    table = services.scores.table(educator, upload).frame
    assert list(table["heat"]) == [1, 1, 1]


def test_what_somebody_decided_meanwhile_is_not_overwritten(
    app: Open, services: Services, administrator: Actor, educator: Actor, upload: str
) -> None:
    decide(services, educator, upload, {0: 0, 2: 1})
    at = opened(app, educator, CONSISTENCY, upload)
    at.radio[0].set_value(1)
    colleague = another_educator(services, administrator, "Col", "col@school.example", PASSWORD)
    services.sections.share(educator, services.uploads.get(educator, upload).section_id, "col@school.example")
    decide(services, colleague, upload, {2: 0})
    press(at, "Give both these levels")
    assert list(services.scores.table(educator, upload).frame["heat"])[::2] == [0, 0]


# What blind scores show


def test_the_results_say_how_little_few_blind_answers_say(app: Open, services: Services, educator: Actor) -> None:
    hire_student(services)
    section = services.sections.create(educator, "Grade 5")
    with services.database.write() as session:
        session.merge(HouseRule(name="blind", value={"share": 1.0}))
    upload = upload_class(services, educator, section.id)
    score(services, upload, {2: 0, 3: 1, 4: 1})
    at = opened(app, educator, RESULTS, upload)
    assert "None of them is scored yet" in said(at)
    decide(services, educator, upload, {0: 1})
    at = run(at)
    assert "Not enough evidence: 1 answer cannot say" in said(at)
    [table] = [frame.value for frame in at.dataframe if "Criterion" in frame.value]
    assert list(table.iloc[0])[1:] == ["0 of 1", "not enough evidence"]
    assert {metric.label: metric.value for metric in at.metric}["Differ, scored blind"] == "1 of 1"
    assert "Nothing to compare yet" in said(at)


def test_an_upload_without_blind_answers_has_no_such_panel(
    app: Open, services: Services, educator: Actor, upload: str
) -> None:
    at = opened(app, educator, RESULTS, upload)
    assert not [expander for expander in at.expander if expander.label.startswith("How well the model does here")]


def test_opening_results_is_on_record(
    app: Open, services: Services, administrator: Actor, educator: Actor, upload: str
) -> None:
    run(opened(app, educator, RESULTS, upload))
    [event], total = services.audit.events(administrator, AuditFilter("upload.see"))
    assert (total, event.actor_id, event.object_id) == (1, educator.user_id, upload)
