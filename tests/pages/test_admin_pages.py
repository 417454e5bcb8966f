"""The administration screens, driven as an administrator would, over a real database."""

from __future__ import annotations

import doctest
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update
from streamlit.testing.v1 import AppTest

from db.tables import AuditEvent, Worker, utc_now
from pages.components import words
from scoring.domain import Role
from scoring.errors import NotAllowed
from scoring.services.actors import Actor
from scoring.services.house import Services
from scoring.services.versions import ACTIVE, register_student

Open = Callable[..., AppTest]
SCREENS = ["people", "tasks", "versions", "health", "audit"]


def said(at: AppTest) -> str:
    """All that the screen says in running text."""
    kinds = ("title", "subheader", "markdown", "caption", "error", "warning", "success", "info", "code")
    return "\n".join(str(element.value) for kind in kinds for element in at.get(kind))


def fill_in_a_person(at: AppTest, name: str, email: str) -> AppTest:
    at.text_input(key="new-name-0").set_value(name)
    at.text_input(key="new-email-0").set_value(email)
    next(button for button in at.button if button.label == "Add person").click()
    at.run()
    assert not at.exception
    return at


def version_folder(folder: Path, name: str, card: dict[str, object], tasks: dict[str, object]) -> Path:
    """A student version as far as registering and activating look at it."""
    weights = f"weights of {name}".encode()
    folder.mkdir()
    (folder / "student.safetensors").write_bytes(weights)
    manifest = {
        "version_id": name,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "student": {"tasks": tasks},
    }
    (folder / "config.json").write_text(json.dumps(manifest))
    if card:
        (folder / "card.json").write_text(json.dumps(card))
    return folder


CARD = {
    "date": "2025-05-04",
    "intended_use": "A first score for the tasks below.",
    "sample_size_statement": "Reported on 12 answers.",
    "limits": ["It reads text alone."],
    "tasks": [{"id": "melting-ice", "title": "Why does ice melt?", "rows": {"train": 40, "dev": 10, "val": 12}}],
    "training": {"seconds": 120.0},
    "val": {
        "mean_qwk": 0.71,
        "mean_qwk_low": 0.5,
        "mean_qwk_high": 0.85,
        "tasks": [
            {
                "task_id": "melting-ice",
                "criteria": [
                    {"criterion_id": "heat", "n": 12, "qwk": 0.71, "qwk_low": 0.5, "qwk_high": 0.85, "smd": None}
                ],
            }
        ],
    },
}


# People


def test_someone_alone_is_told_to_add_an_educator(app: Open, administrator: Actor) -> None:
    assert "Add an educator above" in said(app(administrator, "admin/people.py"))


def test_adding_a_person_shows_the_password_once(app: Open, services: Services, administrator: Actor) -> None:
    at = fill_in_a_person(app(administrator, "admin/people.py"), "Tom Teacher", "Tom@School.example")
    [password] = [code.value for code in at.code]
    assert services.accounts.sign_in("tom@school.example", password, "127.0.0.1")
    [tom] = [p for p in services.accounts.people(administrator) if p.email == "tom@school.example"]
    assert (tom.name, tom.role, tom.must_change_password) == ("Tom Teacher", Role.EDUCATOR, True)
    at.run()
    assert not at.exception
    assert not at.code
    assert "Tom Teacher" in said(at)
    assert password not in str(at.session_state.to_dict())


def test_the_form_keeps_what_was_typed_when_the_address_is_taken(
    app: Open, educator: Actor, administrator: Actor
) -> None:
    at = fill_in_a_person(app(administrator, "admin/people.py"), "Another Edna", "edna@school.example")
    # A word joiner keeps the screen from turning the address into a link.
    assert [error.value for error in at.error] == ["edna\N{WORD JOINER}@school.example has an account already."]
    assert at.text_input(key="new-name-0").value == "Another Edna"
    assert not at.code


def test_the_form_comes_back_empty_after_a_success(app: Open, administrator: Actor) -> None:
    at = fill_in_a_person(app(administrator, "admin/people.py"), "Tom Teacher", "tom@school.example").run()
    assert at.text_input(key="new-name-1").value == ""


def confirm(at: AppTest, opener: str, yes: str) -> AppTest:
    """Open a dialog and agree; the opener is clicked again because a test reruns the whole script."""
    at.button(key=opener).click().run()
    assert not at.exception
    at.button(key=opener).click()
    at.button(key=yes).click()
    at.run()
    assert not at.exception
    return at


def test_the_last_administrator_cannot_be_deactivated(app: Open, services: Services, administrator: Actor) -> None:
    at = app(administrator, "admin/people.py")
    confirm(at, f"deactivate-{administrator.user_id}", "deactivate-yes")
    assert "last active administrator" in at.error[0].value
    assert services.accounts.people(administrator)[0].active


def test_the_last_administrator_keeps_the_role(app: Open, services: Services, administrator: Actor) -> None:
    at = app(administrator, "admin/people.py")
    at.radio(key=f"role-of-{administrator.user_id}-administrator").set_value(Role.EDUCATOR)
    next(button for button in at.button if button.label == "Change role").click()
    at.run()
    assert not at.exception
    assert "last active administrator" in at.error[0].value
    assert services.accounts.people(administrator)[0].role is Role.ADMINISTRATOR


def test_deactivating_signs_out_and_reactivating_lets_in_again(
    app: Open, services: Services, administrator: Actor, educator: Actor
) -> None:
    at = confirm(app(administrator, "admin/people.py"), f"deactivate-{educator.user_id}", "deactivate-yes")
    assert "Deactivated" in said(at)
    with pytest.raises(NotAllowed):
        services.sections.mine(educator)
    at.button(key=f"reactivate-{educator.user_id}").click().run()
    assert not at.exception
    assert all(person.active for person in services.accounts.people(administrator))


def test_a_new_password_replaces_the_old_one(
    app: Open, services: Services, administrator: Actor, educator: Actor
) -> None:
    at = confirm(app(administrator, "admin/people.py"), f"reset-{educator.user_id}", "reset-yes")
    assert services.accounts.sign_in("edna@school.example", at.code[0].value, "127.0.0.1")


def test_a_name_is_text_and_not_markup(app: Open, services: Services, administrator: Actor) -> None:
    services.accounts.add_person(administrator, "![x](http://evil.example) *A*", "x@school.example", Role.EDUCATOR)
    shown = said(app(administrator, "admin/people.py"))
    assert "![x](" not in shown
    assert "\\!\\[x\\]" in shown


# Who gets in


@pytest.mark.parametrize("screen", SCREENS)
def test_an_educator_has_no_administration_screens(app: Open, educator: Actor, screen: str) -> None:
    at = app(educator)
    with pytest.raises(ValueError, match=screen):
        at.switch_page(f"admin/{screen}.py")


@pytest.mark.parametrize("screen", SCREENS)
def test_the_services_refuse_an_educator_on_an_administration_screen(
    app: Open, administrator: Actor, educator: Actor, screen: str
) -> None:
    at = app(replace(educator, role=Role.ADMINISTRATOR), f"admin/{screen}.py")
    assert [error.value for error in at.error] == ["Only an administrator may do this."]
    assert not at.dataframe
    assert not at.table
    assert not at.selectbox
    assert administrator.email not in said(at)


# Item bank


def test_the_item_bank_shows_every_task(app: Open, administrator: Actor) -> None:
    at = app(administrator, "admin/tasks.py")
    table = at.dataframe[0].value
    assert list(table["Task"]) == ["Plants and light", "Why does ice melt?"]
    assert list(table["Labelled answers"]) == [1, 2]
    assert set(table["Scored by the model"]) == {"not yet"}
    assert "What does a plant need light for?" in said(at)


def test_a_task_is_retired_and_brought_back(
    app: Open, services: Services, administrator: Actor, educator: Actor
) -> None:
    at = app(administrator, "admin/tasks.py")
    task_id = at.selectbox(key="bank-task").value
    at.button(key=f"retire-{task_id}").click().run()
    assert not at.exception
    assert list(at.dataframe[0].value["In use"]) == ["in use", "retired"]
    assert task_id not in {task.id for task in services.tasks.available(educator)}
    at.button(key=f"back-{task_id}").click().run()
    assert not at.exception
    assert set(at.dataframe[0].value["In use"]) == {"in use"}
    assert task_id in {task.id for task in services.tasks.available(educator)}


# Model versions


def test_without_a_version_the_screen_says_what_to_do(app: Open, administrator: Actor) -> None:
    assert "python -m scoring train" in said(app(administrator, "admin/versions.py"))


@pytest.mark.parametrize(
    "card", [CARD, {}, {"tasks": [{}]}, {"val": {"tasks": [{"criteria": [{}]}]}}, {"training": None}]
)
def test_a_card_is_shown_as_far_as_it_goes(
    app: Open, services: Services, administrator: Actor, tmp_path: Path, card: dict[str, object]
) -> None:
    folder = version_folder(tmp_path / "v1", "v1", card, {"melting-ice": {"heat": [0, 1]}})
    register_student(services.database, folder, tmp_path / "store")
    at = app(administrator, "admin/versions.py")
    assert "#### v1" in said(at)
    if card is CARD:
        [row] = at.dataframe[0].value.to_dict("records")
        assert (row["Criterion"], row["95% interval"]) == ("Names the transfer of heat", "0.50 to 0.85")
        assert "It reads text alone." in said(at)


def test_activating_a_candidate_names_the_tasks_that_are_lost(
    app: Open, services: Services, administrator: Actor, tmp_path: Path
) -> None:
    shapes = {"melting-ice": {"heat": [0, 1]}}
    register_student(services.database, version_folder(tmp_path / "v1", "v1", CARD, shapes), tmp_path / "store")
    register_student(services.database, version_folder(tmp_path / "v2", "v2", {}, {}), tmp_path / "store")
    at = app(administrator, "admin/versions.py")
    [candidate] = [version for version in services.versions.all(administrator) if version.version_key == "v2"]
    at.button(key=f"activate-{candidate.id}").click().run()
    assert "Why does ice melt?" in at.warning[0].value
    at = confirm(at, f"activate-{candidate.id}", "activate-yes")
    assert [v.version_key for v in services.versions.all(administrator) if v.state == ACTIVE] == ["v2"]


# Health


def test_health_says_that_no_worker_has_started(app: Open, administrator: Actor) -> None:
    [verdict] = app(administrator, "admin/health.py").error
    assert "no worker has started yet" in verdict.value
    assert "python -m scoring.worker" in verdict.value


def test_health_says_that_everything_works(app: Open, services: Services, administrator: Actor, tmp_path: Path) -> None:
    folder = version_folder(tmp_path / "v1", "v1", CARD, {"melting-ice": {"heat": [0, 1]}})
    register_student(services.database, folder, tmp_path / "store")
    with services.database.write() as session:
        session.add(
            Worker(executor_id="worker-1", pid=1, state="ready", device="cuda:0", student_version_key="v1",
                   started_at=utc_now(), heartbeat_at=utc_now())
        )  # fmt: skip
    services.settings.worker_log.write_text("Ready on cuda:0.\n")
    at = app(administrator, "admin/health.py")
    assert "Everything works" in at.success[0].value
    assert "graphics card" in at.table[0].value.iloc[:, 0].tolist()
    assert at.code[0].value == "Ready on cuda:0."


def test_health_says_why_a_worker_failed(app: Open, services: Services, administrator: Actor) -> None:
    with services.database.write() as session:
        session.add(
            Worker(executor_id="worker-1", pid=1, state="failed", message="v1: not a readable student version",
                   started_at=utc_now(), heartbeat_at=utc_now())
        )  # fmt: skip
    assert "not a readable student version" in app(administrator, "admin/health.py").error[0].value


# Audit log


def test_the_audit_log_shows_events_newest_first_with_names(app: Open, administrator: Actor, educator: Actor) -> None:
    at = app(administrator, "admin/audit.py")
    table = at.dataframe[0].value
    assert list(table["No."]) == sorted(table["No."], reverse=True)
    assert {"Ada Admin", "Edna Educator", "Evenhand itself"} == set(table["Who"])
    at.selectbox(key="audit-kind").set_value("task.").run()
    assert not at.exception
    assert not at.dataframe
    assert "No such events yet" in said(at)


def test_the_audit_log_is_paged(app: Open, services: Services, administrator: Actor) -> None:
    for number in range(40):
        services.sections.create(administrator, f"Section {number}")
    at = app(administrator, "admin/audit.py")
    assert len(at.dataframe[0].value) == 25
    at.session_state["audit-page-"] = 2
    at.run()
    assert not at.exception
    assert list(at.dataframe[0].value["No."])[-1] == 1


def press_check(at: AppTest) -> AppTest:
    next(button for button in at.button if button.label == "Check the chain").click()
    at.run()
    assert not at.exception
    return at


def test_the_check_says_that_the_record_is_intact(app: Open, administrator: Actor) -> None:
    assert "intact" in press_check(app(administrator, "admin/audit.py")).success[0].value


def test_the_check_says_where_a_changed_record_breaks(
    app: Open, services: Services, administrator: Actor, educator: Actor
) -> None:
    with services.database.write() as session:
        session.execute(update(AuditEvent).where(AuditEvent.id == 2).values(actor_id=educator.user_id))
    [error] = press_check(app(administrator, "admin/audit.py")).error
    assert "breaks at event 2: its content was changed" in error.value


def test_health_shows_nothing_once_signed_out(app: Open, services: Services, administrator: Actor) -> None:
    at = app(administrator, "admin/health.py")
    services.accounts.sign_out(administrator)
    at.run()
    assert not at.exception
    assert "signed out" in at.info[0].value
    assert not at.metric


def test_the_examples_in_words_hold() -> None:
    assert doctest.testmod(words).failed == 0
