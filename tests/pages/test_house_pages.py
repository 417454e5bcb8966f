"""House rules, comments, urgent signs and the audit log's filters, driven as people do, over a real database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from db.tables import utc_now
from scoring.services.actors import Actor
from scoring.services.audit import AuditFilter
from scoring.services.house import Services
from scoring.services.rules import ALERTS, BLIND, OVERRIDE_REASONS

Open = Callable[..., AppTest]
RULES, COMMENTS, ALERTS_PAGE, AUDIT = "admin/rules.py", "educator/feedback.py", "educator/alerts.py", "admin/audit.py"


def said(at: AppTest) -> str:
    """All that the screen says in running text."""
    kinds = ("title", "subheader", "markdown", "caption", "error", "warning", "success", "info", "text", "toast")
    return "\n".join(str(element.value) for kind in kinds for element in at.get(kind))


def run(at: Any) -> AppTest:
    """Run the script again after a change; of the whole screen or of one of its widgets."""
    after: AppTest = at.run()
    assert not after.exception
    return after


def press(at: AppTest, label: str) -> AppTest:
    next(button for button in at.button if button.label == label).click()
    return run(at)


# House rules


def test_the_rules_show_their_defaults_and_that_nobody_chose_them(app: Open, administrator: Actor) -> None:
    at = app(administrator, RULES)
    assert at.slider(key="blind-share").value == 10
    assert said(at).count("As delivered") == 3
    assert "In a class of 30, 3 answers come up without the model’s score" in said(at)


def test_moving_the_share_says_what_it_means_before_it_is_saved(
    app: Open, services: Services, administrator: Actor
) -> None:
    at = app(administrator, RULES)
    run(at.slider(key="blind-share").set_value(2))
    assert "1 answer comes up" in said(at)
    run(at.slider(key="blind-share").set_value(100))
    assert "Every answer is scored by a person before" in said(at)
    run(at.slider(key="blind-share").set_value(0))
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
