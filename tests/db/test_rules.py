"""The choices of a school: defaults, what is refused, who may change them, and what the log says of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import delete, select

from db.tables import AuditEvent, HouseRule
from scoring.errors import InvalidInput, NotAllowed, NotFound
from scoring.services.audit import AuditFilter
from scoring.services.rules import (
    ALERTS,
    ALLOWED,
    BLIND,
    DEFAULTS,
    LONGEST_REASON_KIND,
    MOST_REASONS,
    NEVER,
    OVERRIDE_REASONS,
    REQUIRED,
    check_reason,
    rule,
)
from tests.conftest import School


@pytest.fixture
def school(school: School) -> School:
    """The school before anybody has chosen anything."""
    with school.database.write() as session:
        session.execute(delete(HouseRule))
    return school


def stored(school: School, name: str) -> dict[str, Any]:
    with school.database.read() as session:
        return rule(session, name)


def reasons(*entries: str, free_text: str = ALLOWED) -> dict[str, Any]:
    return {"reasons": list(entries), "free_text": free_text}


def test_every_rule_has_a_default_that_it_would_accept_itself(school: School) -> None:
    for name, default in DEFAULTS.items():
        assert stored(school, name) == default
        assert school.services.rules.change(school.administrator, name, default) == default


def test_a_change_holds_is_signed_and_on_record(school: School) -> None:
    rules, admin = school.services.rules, school.administrator
    rules.change(admin, BLIND, {"share": 0.25})
    assert stored(school, BLIND) == {"share": 0.25}
    states = rules.get_all(admin)
    assert (states[BLIND].value, states[BLIND].changed_by) == ({"share": 0.25}, "Ada Admin")
    assert states[BLIND].changed_at is not None
    assert (states[ALERTS].changed_by, states[ALERTS].changed_at) == ("", None)
    [event], _ = school.services.audit.events(admin, AuditFilter("rule."))
    assert (event.actor_id, event.object_id, event.detail) == (admin.user_id, BLIND, {"share": 0.25})


def test_saving_what_stands_already_is_no_change(school: School) -> None:
    for _ in range(2):
        school.services.rules.change(school.administrator, BLIND, {"share": 0.3})
    assert school.services.audit.events(school.administrator, AuditFilter("rule."))[1] == 1


@pytest.mark.parametrize("share", [-0.01, 1.01, "0.1", None, True, float("nan")])
def test_a_share_outside_nothing_and_all_is_refused(school: School, share: object) -> None:
    with pytest.raises(InvalidInput, match="share"):
        school.services.rules.change(school.administrator, BLIND, {"share": share})
    assert school.count("house_rules") == 0


@pytest.mark.parametrize("value", [{}, {"share": 0.1, "seed": 1}, {"part": 0.1}])
def test_fields_that_are_missing_or_unknown_are_refused(school: School, value: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        school.services.rules.change(school.administrator, BLIND, value)


def test_a_rule_of_another_name_does_not_exist(school: School) -> None:
    with pytest.raises(NotFound, match="colour"):
        school.services.rules.change(school.administrator, "colour", {})


def test_reasons_are_tidied_and_keep_their_order(school: School) -> None:
    typed = reasons("  Says it \t in other words ", "", "Off topic", "OFF TOPIC", "   ")
    saved = school.services.rules.change(school.administrator, OVERRIDE_REASONS, typed)
    assert saved["reasons"] == ["Says it in other words", "Off topic"]
    assert stored(school, OVERRIDE_REASONS) == saved


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (reasons("x" * (LONGEST_REASON_KIND + 1)), str(LONGEST_REASON_KIND)),
        (reasons(*(f"reason {n}" for n in range(MOST_REASONS + 1))), str(MOST_REASONS)),
        (reasons(free_text=NEVER), "Add a reason"),
        (reasons("a", free_text="sometimes"), "sometimes"),
        ({"reasons": "one text", "free_text": ALLOWED}, "list of texts"),
    ],
)
def test_a_list_of_reasons_that_nobody_could_use_is_refused(school: School, value: dict[str, Any], found: str) -> None:
    with pytest.raises(InvalidInput, match=found):
        school.services.rules.change(school.administrator, OVERRIDE_REASONS, value)
    assert stored(school, OVERRIDE_REASONS) == DEFAULTS[OVERRIDE_REASONS]


def test_the_log_holds_no_wording_of_a_reason(school: School) -> None:
    school.services.rules.change(school.administrator, OVERRIDE_REASONS, reasons("Zebra crossing"))
    with school.database.read() as session:
        log = json.dumps([event.detail for event in session.scalars(select(AuditEvent))])
    assert "Zebra" not in log
    assert '"reasons": 1' in log


@pytest.mark.parametrize(
    ("free_text", "taken", "refused"),
    [
        (ALLOWED, [("listed", ""), ("", "because"), ("listed", "because")], [("", ""), ("", " "), ("other", "")]),
        (REQUIRED, [("", "because"), ("listed", "because")], [("listed", ""), ("listed", "  "), ("", "")]),
        (NEVER, [("listed", "")], [("", "because"), ("listed", "because"), ("", "")]),
    ],
)
def test_an_override_gives_the_reason_that_the_house_asks_for(
    school: School, free_text: str, taken: list[tuple[str, str]], refused: list[tuple[str, str]]
) -> None:
    school.services.rules.change(school.administrator, OVERRIDE_REASONS, reasons("listed", free_text=free_text))
    with school.database.read() as session:
        for kind, words in taken:
            check_reason(session, kind, words)
        for kind, words in refused:
            with pytest.raises(InvalidInput):
                check_reason(session, kind, words)


def test_people_who_are_told_exist_and_can_sign_in(school: School) -> None:
    rules, admin, sam = school.services.rules, school.administrator, school.stranger.user_id
    assert rules.change(admin, ALERTS, {"people": [sam, admin.user_id, sam]}) == {
        "people": sorted([sam, admin.user_id])
    }
    school.services.accounts.set_active(admin, sam, False)
    for wrong in ([sam], [99_999], "all", ["1"]):
        with pytest.raises(InvalidInput, match="people"):
            rules.change(admin, ALERTS, {"people": wrong})


def test_a_rule_that_grew_a_field_since_it_was_saved_has_its_default(school: School) -> None:
    with school.database.write() as session:
        session.add(HouseRule(name=OVERRIDE_REASONS, value={"reasons": ["one"]}, changed_by=None))
    assert stored(school, OVERRIDE_REASONS) == reasons("one", free_text=DEFAULTS[OVERRIDE_REASONS]["free_text"])
    assert school.services.rules.get_all(school.administrator)[OVERRIDE_REASONS].changed_by == ""


def test_only_administrators_see_and_change_them(school: School) -> None:
    for call in (
        lambda: school.services.rules.get_all(school.educator),
        lambda: school.services.rules.change(school.educator, BLIND, {"share": 0.0}),
    ):
        with pytest.raises(NotAllowed, match="administrator"):
            call()
    assert stored(school, BLIND) == DEFAULTS[BLIND]
