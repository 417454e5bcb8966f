"""Every use case refuses whoever may not use it; a new one must say here whom it serves."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from db.tables import HouseRule, Response, StudentVersion, TaskRow, UrgentAlert, User
from scoring.domain import Role, UploadStatus
from scoring.errors import Conflict, NotAllowed, NotFound, NotSignedIn
from scoring.intake.reading import ClassFile
from scoring.services.actors import Actor
from scoring.services.house import Services
from scoring.services.review import QueueOrder
from scoring.services.uploads import UploadSummary
from tests.conftest import COLUMNS, PASSWORD, School, class_csv
from tests.db.authored import COLUMNS as LABELLED
from tests.db.authored import ENTRY, add_task, add_version, labelled_csv

FILE = class_csv([("s9", "Zoe", "Heat.")])


@dataclass(frozen=True)
class Things:
    """Objects of the educator's that others must not reach."""

    school: School
    upload: str
    finished: str
    response: int
    candidate: int
    own_task: int  # of the educator's own
    adding: int  # a candidate that adds it
    stale: int  # another one, made from a version that is not active
    run: str
    preview: str
    labelled_file: ClassFile
    alike: tuple[int, ...]  # answers of `upload` that say the same and were scored differently
    file: ClassFile
    trial: str


def arrange(school: School, folder: Path) -> Things:
    running = school.upload(token="running")
    finished = school.upload([("s3", "Cy", "Cold goes out.")], token="finished")
    school.set_upload(finished, status=UploadStatus.DONE, student_version_id=1)
    response = school.response_ids(finished)[0]
    school.machine(response, {"heat": 1, "claim": 1})
    review = school.services.review
    review.decide(school.educator, response, 0, {"heat": 1}, "first")
    alike = tuple(school.response_ids(running))
    with school.database.write() as session:
        session.execute(update(Response).where(Response.id.in_(alike)).values(alike_group="same"))
    for place, i in enumerate(alike):
        review.decide(school.educator, i, 0, {"heat": place}, f"alike {place}")
    review.decide(school.educator, alike[0], 1, {"claim": 1}, "slip")
    review.undo_last(school.educator, running, "taken back", 0)
    folder.mkdir()
    (folder / "student.safetensors").write_bytes(b"weights")
    manifest = {
        "version_id": "candidate",
        "weights_sha256": hashlib.sha256(b"weights").hexdigest(),
        "student": {"tasks": {}},
    }
    (folder / "config.json").write_text(json.dumps(manifest))
    with school.database.write() as session:
        row = StudentVersion(version_key="candidate", folder=str(folder), state="candidate", shapes={}, card={})
        session.add(row)
        session.flush()
        candidate = row.id
        session.add(UrgentAlert(response_id=response, kind="self_harm", matched=[[0, 4]]))
        # Administrators read urgent signs of other sections where the house rules name them.
        session.merge(HouseRule(name="alerts", value={"people": [school.administrator.user_id]}))
    file = school.services.uploads.read_file(school.educator, "f.csv", FILE)
    trial = school.services.explanations.try_text(school.educator, response, "Heat goes in.")
    own_task, trained = add_task(school), add_task(school, token="trained")
    run = school.services.adaptations.start(school.educator, trained, "run")
    adding = add_version(school, folder.with_name("adding"), task_id=own_task, parent=1)
    stale = add_version(school, folder.with_name("stale"), task_id=own_task, parent=candidate)
    preview = school.services.promotion.preview(school.educator, adding, "preview")
    labelled_file = school.services.examples.read_file(school.educator, own_task, "a.csv", labelled_csv())
    with school.database.write() as session:
        session.execute(
            update(StudentVersion)
            .where(StudentVersion.id == 1)
            .values(replaced_id=candidate, activated_by=school.educator.user_id)
        )
    return Things(
        school, running, finished, response, candidate, own_task, adding, stale, run, preview, labelled_file, alike,
        file, trial,
    )  # fmt: skip


@pytest.fixture
def things(school: School, tmp_path: Path) -> Things:
    """The objects in a school of the test's own."""
    return arrange(school, tmp_path / "candidate")


@pytest.fixture(scope="module")
def untouched(open_school: Callable[[Path], School], tmp_path_factory: pytest.TempPathFactory) -> Things:
    """A school for calls that must not change it; each of them checks that."""
    folder = tmp_path_factory.mktemp("untouched")
    return arrange(open_school(folder / "var"), folder / "candidate")


@pytest.fixture(scope="module")
def signed_out(open_school: Callable[[Path], School], tmp_path_factory: pytest.TempPathFactory) -> Things:
    """Like it, after everybody has signed out."""
    folder = tmp_path_factory.mktemp("signed-out")
    things = arrange(open_school(folder / "var"), folder / "candidate")
    for actor in (things.school.administrator, things.school.educator, things.school.stranger):
        things.school.services.accounts.sign_out(actor)
    return things


@pytest.fixture(scope="module")
def first_passwords(open_school: Callable[[Path], School], tmp_path_factory: pytest.TempPathFactory) -> Things:
    """Like it, with everybody still on the password that they were given."""
    folder = tmp_path_factory.mktemp("first-passwords")
    things = arrange(open_school(folder / "var"), folder / "candidate")
    with things.school.database.write() as session:
        session.execute(update(User).values(must_change_password=True))
    return things


Call = Callable[[Services, Actor, Things], Any]


def _revisions(things: Things) -> dict[int, int]:
    """What a screen of somebody who may see them would show."""
    with things.school.database.read() as session:
        return {i: session.get_one(Response, i).revision for i in things.alike}


ADMINISTRATORS: dict[str, Call] = {
    "accounts.people": lambda s, a, t: s.accounts.people(a),
    "accounts.add_person": lambda s, a, t: s.accounts.add_person(a, "New", "new@b.example", Role.ADMINISTRATOR),
    "accounts.reset_password": lambda s, a, t: s.accounts.reset_password(a, t.school.stranger.user_id),
    "accounts.set_active": lambda s, a, t: s.accounts.set_active(a, t.school.stranger.user_id, False),
    "accounts.set_role": lambda s, a, t: s.accounts.set_role(a, t.school.educator.user_id, Role.ADMINISTRATOR),
    "tasks.set_retired": lambda s, a, t: s.tasks.set_retired(a, t.school.task, True),
    "authoring.publish": lambda s, a, t: s.authoring.publish(a, t.own_task),
    "promotion.lineage": lambda s, a, t: s.promotion.lineage(a),
    "versions.all": lambda s, a, t: s.versions.all(a),
    "versions.activate": lambda s, a, t: s.versions.activate(a, t.candidate),
    "audit.events": lambda s, a, t: s.audit.events(a),
    "audit.export": lambda s, a, t: s.audit.export(a),
    "audit.verify": lambda s, a, t: s.audit.verify(a),
    "rules.get_all": lambda s, a, t: s.rules.get_all(a),
    "rules.change": lambda s, a, t: s.rules.change(a, "blind", {"share": 0.5}),
    "expert_use.report": lambda s, a, t: s.expert_use.report(a),
    "expert_use.over_time": lambda s, a, t: s.expert_use.over_time(a, t.school.task, "heat", 1),
    "word_reports.criteria": lambda s, a, t: s.word_reports.criteria(a, t.upload),
    "word_reports.state": lambda s, a, t: s.word_reports.state(a, t.finished),
    "word_reports.words": lambda s, a, t: s.word_reports.words(a, t.finished, "heat"),
    "word_reports.explain_upload": lambda s, a, t: s.word_reports.explain_upload(a, t.finished),
    "word_reports.stop": lambda s, a, t: s.word_reports.stop(a, t.finished),
    "word_reports.disagreements": lambda s, a, t: s.word_reports.disagreements(a, t.school.task, "heat"),
    "word_reports.explain_disagreements": lambda s, a, t: s.word_reports.explain_disagreements(
        a, t.school.task, "heat"
    ),
    "health.queue": lambda s, a, t: s.health.queue(a),
    "health.worker_log": lambda s, a, t: s.health.worker_log(a),
}
OWNERS: dict[str, Call] = {
    "sections.rename": lambda s, a, t: s.sections.rename(a, t.school.section, "Taken over"),
    "sections.set_archived": lambda s, a, t: s.sections.set_archived(a, t.school.section, True),
    "sections.share": lambda s, a, t: s.sections.share(a, t.school.section, "sam@school.example"),
    "uploads.same_file": lambda s, a, t: s.uploads.same_file(a, t.school.section, "0" * 64),
    "uploads.submit": lambda s, a, t: s.uploads.submit(
        a, t.school.section, t.school.version, "f.csv", FILE, COLUMNS, "new"
    ),
    "uploads.get": lambda s, a, t: s.uploads.get(a, t.upload),
    "uploads.problems": lambda s, a, t: s.uploads.problems(a, t.upload),
    "uploads.original": lambda s, a, t: s.uploads.original(a, t.upload),
    "uploads.cancel": lambda s, a, t: s.uploads.cancel(a, t.upload),
    "uploads.score_rest": lambda s, a, t: s.uploads.score_rest(a, t.finished),
    "uploads.score_again": lambda s, a, t: s.uploads.score_again(a, t.finished),
    "scores.stamp": lambda s, a, t: s.scores.stamp(a, t.upload),
    "scores.table": lambda s, a, t: s.scores.table(a, t.upload),
    "scores.export": lambda s, a, t: s.scores.export(a, t.upload),
    "alerts.read": lambda s, a, t: s.alerts.read(a, t.response, "look"),
    "alerts.handle": lambda s, a, t: s.alerts.handle(a, t.response, "Talked with them."),
    "alerts.reopen": lambda s, a, t: s.alerts.reopen(a, t.response),
    "looks.upload": lambda s, a, t: s.looks.upload(a, t.upload),
    "looks.response": lambda s, a, t: s.looks.response(a, t.response),
    "review.response": lambda s, a, t: s.review.response(a, t.response),
    "review.responses": lambda s, a, t: s.review.responses(a, t.alike),
    "review.decide": lambda s, a, t: s.review.decide(a, t.response, 1, {"heat": 1}, "second"),
    "review.undo": lambda s, a, t: s.review.undo(a, t.response, 1, "third"),
    "review.undo_last": lambda s, a, t: s.review.undo_last(a, t.upload, "fourth", 0),
    "review.redo_last": lambda s, a, t: s.review.redo_last(a, t.upload, "fifth", 0),
    "review.decide_group": lambda s, a, t: s.review.decide_group(a, t.alike[0], _revisions(t), {"heat": 1}, "sixth"),
    "review.reconcile": lambda s, a, t: s.review.reconcile(a, _revisions(t), {"heat": 0}, "seventh"),
    "review.queue": lambda s, a, t: s.review.queue(a, t.upload),
    "review.next": lambda s, a, t: s.review.next(a, t.upload, QueueOrder.FILE, None),
    "review.window": lambda s, a, t: s.review.window(a, t.upload, QueueOrder.FILE, t.alike[0]),
    "review.search": lambda s, a, t: s.review.search(a, t.upload, "heat"),
    "review.jump": lambda s, a, t: s.review.jump(a, t.upload, "s1"),
    "review.group": lambda s, a, t: s.review.group(a, t.alike[0]),
    "review.inconsistencies": lambda s, a, t: s.review.inconsistencies(a, t.upload),
    "review.blind_report": lambda s, a, t: s.review.blind_report(a, t.upload),
    "review.flag": lambda s, a, t: s.review.flag(a, t.response, True, "look again"),
    "review.comment": lambda s, a, t: s.review.comment(a, t.response, None, "Well said.", "eighth"),
    "review.claim": lambda s, a, t: s.review.claim(a, t.response),
    "review.release": lambda s, a, t: s.review.release(a, t.response),
    "review.erase_response": lambda s, a, t: s.review.erase_response(a, t.alike[1]),
    "explanations.of": lambda s, a, t: s.explanations.of(a, t.response),
    "explanations.again": lambda s, a, t: s.explanations.again(a, t.response),
    "explanations.try_text": lambda s, a, t: s.explanations.try_text(a, t.response, "Heat moves to the ice."),
    "explanations.trial": lambda s, a, t: s.explanations.trial(a, t.trial),
}
# What the author of a task may do with it, and an administrator.
AUTHORS: dict[str, Call] = {
    "authoring.get": lambda s, a, t: s.authoring.get(a, t.own_task),
    "authoring.retire": lambda s, a, t: s.authoring.retire(a, t.own_task),
    "authoring.revise": lambda s, a, t: s.authoring.revise(a, t.own_task, 1, {**ENTRY, "title": "Another title"}),
    "examples.read_file": lambda s, a, t: s.examples.read_file(a, t.own_task, "a.csv", labelled_csv()),
    "examples.suggest": lambda s, a, t: s.examples.suggest(a, t.own_task, t.labelled_file),
    "examples.check": lambda s, a, t: s.examples.check(a, t.own_task, t.labelled_file, LABELLED),
    "examples.save": lambda s, a, t: s.examples.save(a, t.own_task, "a.csv", labelled_csv(9), LABELLED, "more"),
    "examples.overview": lambda s, a, t: s.examples.overview(a, t.own_task),
    "examples.pool": lambda s, a, t: s.examples.pool(a, t.own_task, ["a0-0"]),
    "examples.page": lambda s, a, t: s.examples.page(a, t.own_task),
    "examples.label": lambda s, a, t: s.examples.label(a, t.own_task, "a0-0", {"evaporation": 1}),
    "examples.remove": lambda s, a, t: s.examples.remove(a, t.own_task, "a0-0"),
    "adaptations.start": lambda s, a, t: s.adaptations.start(a, t.own_task, "another run"),
    "adaptations.get": lambda s, a, t: s.adaptations.get(a, t.run),
    "adaptations.newest": lambda s, a, t: s.adaptations.newest(a, t.own_task),
    "adaptations.cancel": lambda s, a, t: s.adaptations.cancel(a, t.run),
    "promotion.candidates": lambda s, a, t: s.promotion.candidates(a, t.own_task),
    "promotion.compare": lambda s, a, t: s.promotion.compare(a, t.adding),
    "promotion.preview": lambda s, a, t: s.promotion.preview(a, t.stale, "another preview"),
    "promotion.preview_state": lambda s, a, t: s.promotion.preview_state(a, t.preview),
    "promotion.newest_preview": lambda s, a, t: s.promotion.newest_preview(a, t.adding),
    "promotion.cancel_preview": lambda s, a, t: s.promotion.cancel_preview(a, t.preview),
    "promotion.activate": lambda s, a, t: s.promotion.activate(a, t.adding, 1),
    "promotion.bring_up_to_date": lambda s, a, t: s.promotion.bring_up_to_date(a, t.stale, "up"),
    "promotion.roll_back": lambda s, a, t: s.promotion.roll_back(a, 1),
}
EVERYBODY: dict[str, Call] = {
    "authoring.mine": lambda s, a, t: s.authoring.mine(a),
    "authoring.create": lambda s, a, t: s.authoring.create(a, ENTRY, "another task"),
    "authoring.parse_tasks": lambda s, a, t: s.authoring.parse_tasks(a, "t.json", json.dumps([ENTRY]).encode()),
    "authoring.examples_of": lambda s, a, t: s.authoring.examples_of(a, "t.json", b"[]", "x"),
    "accounts.change_password": lambda s, a, t: s.accounts.change_password(a, PASSWORD, "quite another sentence"),
    "sections.mine": lambda s, a, t: s.sections.mine(a),
    "sections.create": lambda s, a, t: s.sections.create(a, "Mine"),
    "tasks.available": lambda s, a, t: s.tasks.available(a),
    "tasks.get": lambda s, a, t: s.tasks.get(a, t.school.task),
    "tasks.examples": lambda s, a, t: s.tasks.examples(a, t.school.task),
    "alerts.waiting": lambda s, a, t: s.alerts.waiting(a),
    "alerts.all": lambda s, a, t: s.alerts.all(a),
    "feedback.templates": lambda s, a, t: s.feedback.templates(a, t.school.task),
    "feedback.save": lambda s, a, t: s.feedback.save(a, t.school.task, "claim", {0: "No.", 1: "Yes."}),
    "feedback.restore": lambda s, a, t: s.feedback.restore(a, t.school.task, "claim"),
    "uploads.read_file": lambda s, a, t: s.uploads.read_file(a, "f.csv", FILE),
    "uploads.suggest_mapping": lambda s, a, t: s.uploads.suggest_mapping(a, t.file),
    "uploads.check": lambda s, a, t: s.uploads.check(a, t.file, COLUMNS),
    "uploads.recent": lambda s, a, t: s.uploads.recent(a),
    "versions.metrics": lambda s, a, t: s.versions.metrics(a, "melting-ice"),
}
# These come before anybody is known, serve probes, or end a session that is over already.
WITHOUT_A_SESSION = {
    "accounts.needs_setup", "accounts.new_setup_code", "accounts.set_up", "accounts.sign_in", "accounts.resume",
    "accounts.sign_out", "health.database", "health.workers", "health.ready", "jobs.enqueue_scoring", "jobs.close",
    "jobs.enqueue_explanation", "jobs.enqueue_explanations", "jobs.enqueue_trial",
    "jobs.enqueue_adaptation", "jobs.enqueue_bring_up_to_date", "jobs.enqueue_preview",
}  # fmt: skip
OWN_DECISIONS = {"review.undo", "review.undo_last", "review.redo_last"}
ONLY_ONES_OWN = {"authoring.retire"}
GUARDED = {**ADMINISTRATORS, **OWNERS, **AUTHORS, **EVERYBODY}


def _public_methods() -> set[str]:
    found = set()
    for field in fields(Services):
        if field.name in {"settings", "database"}:
            continue
        kind = inspect.get_annotations(Services, eval_str=True)[field.name]
        found |= {f"{field.name}.{name}" for name, _ in inspect.getmembers(kind, inspect.isfunction) if name[0] != "_"}
    return found


def _state(school: School) -> tuple[dict[str, int], list[str]]:
    """Rows of the tables, and whatever a refused call could have changed."""
    with school.database.read() as session:
        rows = [
            str(row)
            for table in ("users", "sections", "section_educators", "tasks", "uploads", "responses", "student_versions")
            for row in session.connection().exec_driver_sql(f"SELECT * FROM {table}")
        ]
        tables = ("task_versions", "labelled_examples", "example_files", "adaptations", "previews")
        rows += [str(row) for table in tables for row in session.connection().exec_driver_sql(f"SELECT * FROM {table}")]
    return school.counts(), rows


def test_every_public_method_of_every_service_is_listed_here_once() -> None:
    listed = [*ADMINISTRATORS, *OWNERS, *AUTHORS, *EVERYBODY, *WITHOUT_A_SESSION]
    assert sorted(listed) == sorted(_public_methods())


def test_methods_listed_as_guarded_ask_who_is_there() -> None:
    for name in GUARDED:
        service, method = name.split(".")
        kind = inspect.get_annotations(Services, eval_str=True)[service]
        assert list(inspect.signature(getattr(kind, method)).parameters)[1] == "actor", name


@pytest.mark.parametrize("name", GUARDED)
def test_whoever_may_use_it_can(things: Things, name: str) -> None:
    actor = things.school.administrator if name in ADMINISTRATORS else things.school.educator
    GUARDED[name](things.school.services, actor, things)


@pytest.mark.parametrize("name", sorted(set(OWNERS) - {*OWN_DECISIONS, "explanations.trial"}))
def test_an_administrator_may_help_in_every_section(things: Things, name: str) -> None:
    OWNERS[name](things.school.services, things.school.administrator, things)


@pytest.mark.parametrize("name", sorted(set(AUTHORS) - ONLY_ONES_OWN))
def test_an_administrator_may_work_on_every_task(things: Things, name: str) -> None:
    AUTHORS[name](things.school.services, things.school.administrator, things)


@pytest.mark.parametrize("name", AUTHORS)
def test_an_educator_learns_nothing_of_the_task_of_another_and_changes_nothing(untouched: Things, name: str) -> None:
    before = _state(untouched.school)
    with pytest.raises((NotFound, NotAllowed)) as caught:
        AUTHORS[name](untouched.school.services, untouched.school.stranger, untouched)
    assert not isinstance(caught.value, NotSignedIn)
    assert _state(untouched.school) == before
    for word in ("puddles", "Edna", "a.csv"):
        assert word not in str(caught.value)


@pytest.mark.parametrize("name", sorted(OWN_DECISIONS))
def test_nobody_takes_back_the_decision_of_another(things: Things, name: str) -> None:
    with pytest.raises(Conflict, match=r"of yours to undo|in this sitting"):
        OWNERS[name](things.school.services, things.school.administrator, things)


@pytest.mark.parametrize("name", GUARDED)
def test_somebody_who_signed_out_is_refused(signed_out: Things, name: str) -> None:
    school = signed_out.school
    actor = school.administrator if name in ADMINISTRATORS else school.educator
    before = _state(school)
    with pytest.raises(NotSignedIn):
        GUARDED[name](school.services, actor, signed_out)
    assert _state(school) == before


@pytest.mark.parametrize("name", ADMINISTRATORS)
def test_an_educator_is_refused_what_administrators_do(untouched: Things, name: str) -> None:
    before = _state(untouched.school)
    with pytest.raises(NotAllowed) as caught:
        ADMINISTRATORS[name](untouched.school.services, untouched.school.educator, untouched)
    assert not isinstance(caught.value, NotSignedIn)
    assert _state(untouched.school) == before


@pytest.mark.parametrize("name", OWNERS)
def test_an_educator_of_another_section_learns_nothing_and_changes_nothing(untouched: Things, name: str) -> None:
    before = _state(untouched.school)
    with pytest.raises(NotFound) as caught:
        OWNERS[name](untouched.school.services, untouched.school.stranger, untouched)
    assert _state(untouched.school) == before
    for word in ("Period 1", "class.csv", "Ann", "Cy", "Why does ice melt"):
        assert word not in str(caught.value)


@pytest.mark.parametrize("name", sorted(set(GUARDED) - {"accounts.change_password"}))
def test_a_first_password_must_be_changed_before_anything_else(first_passwords: Things, name: str) -> None:
    school = first_passwords.school
    actor = school.administrator if name in ADMINISTRATORS else school.educator
    before = _state(school)
    with pytest.raises(NotAllowed, match="password of your own"):
        GUARDED[name](school.services, actor, first_passwords)
    assert _state(school) == before


def test_things_that_do_not_exist_look_like_things_of_others(things: Things) -> None:
    services, stranger, owner = things.school.services, things.school.stranger, things.school.educator
    for there, missing in (
        (lambda a: services.uploads.get(a, things.upload), lambda: services.uploads.get(owner, "nothing")),
        (lambda a: services.review.response(a, things.response), lambda: services.review.response(owner, 99_999)),
        (lambda a: services.sections.rename(a, things.school.section, "x"),
         lambda: services.sections.rename(owner, 99_999, "x")),
    ):  # fmt: skip
        with pytest.raises(NotFound) as refused:
            there(stranger)
        with pytest.raises(NotFound) as absent:
            missing()
        assert str(refused.value) == str(absent.value)


def test_lists_hold_only_what_is_ones_own(things: Things) -> None:
    services, stranger = things.school.services, things.school.stranger
    assert [section.name for section in services.sections.mine(stranger)] == ["Period 2"]
    assert services.uploads.recent(stranger) == ([], 0)
    assert services.uploads.recent(stranger, section_id=things.school.section) == ([], 0)
    assert [section.name for section in services.sections.mine(things.school.administrator)] == ["Period 1", "Period 2"]
    uploads, total = services.uploads.recent(things.school.educator)
    assert {upload.id for upload in uploads} == {things.upload, things.finished}
    assert total == 2


def test_a_shared_section_is_shared_whole_and_listed_for_both(things: Things) -> None:
    school = things.school
    school.services.sections.share(school.educator, school.section, " SAM@school.example ")
    school.services.sections.share(school.educator, school.section, "sam@school.example")
    for name, call in OWNERS.items():
        if name not in {*OWN_DECISIONS, "explanations.trial", "sections.set_archived", "uploads.score_again"}:
            call(school.services, school.stranger, things)
    summary: UploadSummary = school.services.uploads.get(school.educator, things.upload)
    assert summary.section == "Taken over"
    (section, *_) = [s for s in school.services.sections.mine(school.educator) if s.name == "Taken over"]
    assert section.educators == ("Edna Educator", "Sam Stranger")


def test_sharing_with_somebody_unknown_or_deactivated_is_refused(school: School) -> None:
    school.services.accounts.set_active(school.administrator, school.stranger.user_id, False)
    for email in ("nobody@school.example", "sam@school.example"):
        with pytest.raises(NotFound, match="administrator"):
            school.services.sections.share(school.educator, school.section, email)


def test_a_task_of_one_educator_is_hidden_from_the_others(school: School) -> None:
    with school.database.write() as session:
        session.execute(update(TaskRow).where(TaskRow.id == school.task).values(owner_id=school.educator.user_id))
    services, stranger = school.services, school.stranger
    assert school.task not in {task.id for task in services.tasks.available(stranger)}
    assert school.task in {task.id for task in services.tasks.available(school.educator)}
    for refused in (
        lambda: services.tasks.get(stranger, school.task),
        lambda: services.tasks.examples(stranger, school.task),
        lambda: services.uploads.submit(
            stranger, school.strangers_section, school.version, "f.csv", FILE, COLUMNS, "t"
        ),
    ):
        with pytest.raises(NotFound, match="no such task"):
            refused()
    assert school.count("uploads") == 0


def test_one_educators_token_does_not_give_another_their_upload(school: School) -> None:
    mine = school.upload(token="same")
    with pytest.raises(Conflict) as caught:
        school.upload(token="same", actor=school.stranger, section=school.strangers_section)
    assert mine not in str(caught.value)
    assert school.count("uploads") == 1
