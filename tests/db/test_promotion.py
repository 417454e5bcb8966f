"""From a candidate to the model that scores, and back: who may, when it is refused, and what stays."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from sqlalchemy import select, update

from db.tables import Preview, PreviewChange, Response, StudentVersion
from scoring.errors import Conflict, InvalidInput, ModelUnavailable, NotAllowed, NotFound
from scoring.services.house import prepare
from scoring.services.runs import RunStatus
from tests.conftest import SHAPES, School
from tests.db.authored import CERTIFICATE, REPORT, add_task, add_version

FIGURES = (("evaporation", "qwk", 0.61), ("evaporation", "exact", 0.7))
FAILED = {**REPORT, "certificate": [{**CERTIFICATE[0], "check": "keywords", "title": "Keyword list", "passed": False}]}


@pytest.fixture
def task_id(school: School, tmp_path: Path) -> int:
    """A task of the educator's own; the active version has a folder to go back to."""
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "student.safetensors").write_bytes(b"first")
    digest = hashlib.sha256(b"first").hexdigest()
    manifest = {"version_id": "first", "weights_sha256": digest, "student": {"tasks": SHAPES}}
    (folder / "config.json").write_text(json.dumps(manifest))
    with school.database.write() as session:
        session.execute(update(StudentVersion).where(StudentVersion.id == 1).values(folder=str(folder)))
    return add_task(school)


def states(school: School) -> dict[int, str]:
    with school.database.read() as session:
        return {row.id: row.state for row in session.scalars(select(StudentVersion))}


def test_a_candidate_is_compared_activated_and_rolled_back(school: School, task_id: int, tmp_path: Path) -> None:
    promotion, educator = school.services.promotion, school.educator
    new = add_version(school, tmp_path / "new", task_id=task_id, parent=1, figures=FIGURES)
    compared = promotion.compare(educator, new)
    (criterion,) = compared.criteria
    assert criterion.active is None
    assert criterion.candidate is not None
    assert {name: metric.value for name, metric in criterion.candidate.items()} == {"qwk": 0.61, "exact": 0.7}
    assert (compared.active_id, compared.may_activate, compared.failed_checks) == (1, True, ())
    assert compared.drift["identical"] is True

    promotion.activate(educator, new, 1)
    assert states(school) == {1: "retired", new: "active"}
    assert not promotion.compare(educator, new).may_activate
    assert promotion.roll_back(educator, new) == 1
    assert states(school) == {1: "active", new: "candidate"}
    promotion.activate(educator, new, 1)
    assert states(school) == {1: "retired", new: "active"}
    events, _ = school.services.audit.events(school.administrator)
    assert [e.action for e in events[:3]] == ["version.activate", "version.roll_back", "version.activate"]


def test_going_back_further_is_somebody_elses_or_an_administrators(
    school: School, task_id: int, tmp_path: Path
) -> None:
    promotion = school.services.promotion
    one = add_version(school, tmp_path / "one", task_id=task_id, parent=1)
    promotion.activate(school.administrator, one, 1)
    two = add_version(school, tmp_path / "two", task_id=task_id, parent=one)
    promotion.activate(school.educator, two, one)
    assert promotion.roll_back(school.educator, two) == one
    with pytest.raises(NotAllowed, match="Somebody else"):
        promotion.roll_back(school.educator, one)
    assert promotion.roll_back(school.administrator, one) == 1
    with pytest.raises(Conflict, match="No version was active before"):
        promotion.roll_back(school.administrator, 1)


def test_a_screen_that_shows_another_active_version_is_refused(school: School, task_id: int, tmp_path: Path) -> None:
    promotion = school.services.promotion
    one = add_version(school, tmp_path / "one", task_id=task_id, parent=1)
    two = add_version(school, tmp_path / "two", task_id=task_id, parent=1)
    promotion.activate(school.educator, one, 1)
    with pytest.raises(Conflict, match="became active meanwhile"):
        promotion.activate(school.educator, two, 1)
    with pytest.raises(Conflict, match="became active meanwhile"):
        promotion.roll_back(school.educator, 1)
    with pytest.raises(Conflict, match="up to date, then activate"):
        promotion.activate(school.educator, two, one)
    with pytest.raises(Conflict, match="up to date"):
        school.services.versions.activate(school.administrator, two)
    assert states(school) == {1: "retired", one: "active", two: "candidate"}
    compared = promotion.compare(school.educator, two)
    assert (compared.stale, compared.may_activate) == (True, False)


def test_bringing_up_to_date_is_queued_for_stale_candidates_only(school: School, task_id: int, tmp_path: Path) -> None:
    promotion = school.services.promotion
    one = add_version(school, tmp_path / "one", task_id=task_id, parent=1)
    two = add_version(school, tmp_path / "two", task_id=task_id, parent=1)
    with pytest.raises(Conflict, match="up to date already"):
        promotion.bring_up_to_date(school.educator, two)
    promotion.activate(school.educator, one, 1)
    run_id = promotion.bring_up_to_date(school.educator, two, "up")
    assert promotion.bring_up_to_date(school.educator, two, "up") == run_id
    run = school.services.adaptations.get(school.educator, run_id)
    assert (run.status, run.brings_up_to_date, run.examples) == (RunStatus.QUEUED, True, 12)
    with pytest.raises(Conflict, match="being trained already"):
        promotion.bring_up_to_date(school.educator, two)


def test_a_failed_stress_test_needs_a_reason(school: School, task_id: int, tmp_path: Path) -> None:
    promotion = school.services.promotion
    new = add_version(school, tmp_path / "new", task_id=task_id, parent=1, report=FAILED)
    assert promotion.compare(school.educator, new).failed_checks == ("Keyword list",)
    with pytest.raises(InvalidInput, match="Keyword list"):
        promotion.activate(school.educator, new, 1, "  ")
    with pytest.raises(InvalidInput, match="Keyword list"):
        school.services.versions.activate(school.administrator, new)
    promotion.activate(school.educator, new, 1, " My class never writes lists. ")
    assert promotion.lineage(school.administrator)[0].activation_note == "My class never writes lists."
    (event, *_), _ = school.services.audit.events(school.administrator)
    assert event.detail["despite"] is True
    assert "lists" not in str(event.detail)


def test_a_damaged_or_exchanged_folder_leaves_the_active_version(school: School, task_id: int, tmp_path: Path) -> None:
    promotion = school.services.promotion
    damaged = add_version(school, tmp_path / "damaged", task_id=task_id, parent=1)
    (tmp_path / "damaged" / "student.safetensors").write_bytes(b"else")
    gone = add_version(school, tmp_path / "gone", task_id=task_id, parent=1)
    (tmp_path / "gone" / "config.json").unlink()
    exchanged = add_version(school, tmp_path / "exchanged", task_id=task_id, parent=1)
    with school.database.write() as session:
        session.execute(update(StudentVersion).where(StudentVersion.id == exchanged).values(shapes={"x": {}}))
    for version, kind in ((damaged, ModelUnavailable), (gone, ModelUnavailable), (exchanged, Conflict)):
        with pytest.raises(kind):
            promotion.activate(school.educator, version, 1)
    assert states(school)[1] == "active"


def test_going_back_to_a_damaged_version_changes_nothing(school: School, task_id: int, tmp_path: Path) -> None:
    new = add_version(school, tmp_path / "new", task_id=task_id, parent=1)
    school.services.promotion.activate(school.educator, new, 1)
    (tmp_path / "first" / "student.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelUnavailable):
        school.services.promotion.roll_back(school.educator, new)
    assert states(school) == {1: "retired", new: "active"}


def preview(school: School, candidate: int, **values: object) -> str:
    preview_id = school.services.promotion.preview(school.educator, candidate, f"look {candidate}")
    with school.database.write() as session:
        session.execute(update(Preview).where(Preview.id == preview_id).values(**values))
    return preview_id


def test_a_preview_that_found_another_tasks_score_moved_blocks(school: School, task_id: int, tmp_path: Path) -> None:
    new = add_version(school, tmp_path / "new", task_id=task_id, parent=1)
    preview(school, new, status="done", others=40, moved=1)
    seen = school.services.promotion.newest_preview(school.educator, new)
    assert seen is not None
    assert (seen.other_tasks.answers, seen.other_tasks.identical) == (40, False)
    with pytest.raises(Conflict, match="other tasks that would change"):
        school.services.promotion.activate(school.educator, new, 1)
    assert states(school)[1] == "active"


def test_a_preview_goes_on_once_and_can_be_stopped(school: School, task_id: int, tmp_path: Path) -> None:
    promotion = school.services.promotion
    new = add_version(school, tmp_path / "new", task_id=task_id, parent=1)
    assert promotion.newest_preview(school.educator, new) is None
    first = promotion.preview(school.educator, new, "a")
    assert promotion.preview(school.educator, new, "a") == promotion.preview(school.educator, new, "b") == first
    promotion.cancel_preview(school.educator, first)
    promotion.cancel_preview(school.educator, first)
    assert promotion.preview_state(school.educator, first).status is RunStatus.CANCELLED
    assert promotion.preview(school.educator, new, "c") != first
    with pytest.raises(Conflict, match="active one"):
        promotion.preview(school.administrator, 1, "d")
    other = add_version(school, tmp_path / "other", task_id=task_id, parent=1)
    with pytest.raises(Conflict, match="for another version"):
        promotion.preview(school.educator, other, "a")


def test_changes_are_listed_by_page_in_ones_own_sections_and_never_of_hidden_answers(
    school: School, task_id: int, tmp_path: Path
) -> None:
    promotion = school.services.promotion
    mine = school.response_ids(school.upload([(f"s{n}", "", f"Heat {n}.") for n in range(4)], token="mine"))
    theirs = school.response_ids(school.upload(token="theirs", actor=school.stranger, section=school.strangers_section))
    new = add_version(school, tmp_path / "new", task_id=task_id, parent=1)
    preview_id = preview(school, new, status="done", done=6, total=6)
    with school.database.write() as session:
        for i in (*mine, *theirs):
            session.add(PreviewChange(preview_id=preview_id, response_id=i, criterion_id=1, before=None, after=2))
        session.execute(update(Response).where(Response.id == mine[0]).values(blind=True))
    seen = promotion.preview_state(school.educator, preview_id, limit=2, offset=0)
    assert seen.changed_count == 3
    assert [change.response_id for change in seen.changed] == mine[1:3]
    first = seen.changed[0]
    assert (first.criterion_id, first.before, first.after, first.text) == ("heat", None, 2, "Heat 1.")
    assert (first.section, first.file_name, first.reviewed) == ("Period 1", "class.csv", False)
    assert promotion.preview_state(school.administrator, preview_id).changed_count == 5
    school.services.review.erase_response(school.educator, mine[1])
    assert promotion.preview_state(school.educator, preview_id).changed_count == 2


def test_a_published_tasks_candidate_is_for_administrators(school: School, task_id: int, tmp_path: Path) -> None:
    new = add_version(school, tmp_path / "new", task_id=task_id, parent=1)
    school.services.authoring.publish(school.administrator, task_id)
    with pytest.raises(NotFound):
        school.services.promotion.activate(school.educator, new, 1)
    school.services.promotion.activate(school.administrator, new, 1)
    assert states(school)[new] == "active"


def test_a_candidate_of_an_older_form_of_the_task_says_so(school: School, task_id: int, tmp_path: Path) -> None:
    add_version(school, tmp_path / "new", task_id=task_id, parent=1)
    entry = {"title": "Puddles", "prompt": "Why?", "criteria": [
        {"id": "evaporation", "name": "Evaporation", "levels": [{"value": 0}, {"value": 1}]}
    ]}  # fmt: skip
    (before,) = school.services.promotion.candidates(school.educator, task_id)
    school.services.authoring.revise(school.educator, task_id, 1, entry)
    (after,) = school.services.promotion.candidates(school.educator, task_id)
    assert (before.fits, after.fits) == (True, False)


def test_the_lineage_tells_who_did_what(school: School, task_id: int, tmp_path: Path) -> None:
    new = add_version(
        school, tmp_path / "new", task_id=task_id, parent=1, created_by=school.educator.user_id,
    )  # fmt: skip
    school.services.promotion.activate(school.administrator, new, 1)
    newest, first = school.services.promotion.lineage(school.administrator)
    assert (newest.version_id, newest.parent_key, newest.state) == (new, "fake", "active")
    assert (newest.by, newest.activated_by, newest.task_title) == (
        "Edna Educator",
        "Ada Admin",
        "Why do puddles vanish?",
    )
    assert (newest.rolls_back_to, newest.task_id, newest.added_bytes) == (1, task_id, 120_000)
    assert newest.bytes > 0
    assert (first.parent_id, first.task_id, first.rolls_back_to) == (None, None, None)


def test_versions_are_found_again_when_the_data_folder_was_moved(school: School, task_id: int, tmp_path: Path) -> None:
    new = add_version(school, tmp_path / "new", task_id=task_id, parent=1)
    store = school.services.settings.data_dir / "versions"
    store.mkdir()
    (tmp_path / "new").rename(store / "new")
    prepare(school.services.settings)
    school.services.promotion.activate(school.educator, new, 1)
    assert states(school) == {1: "retired", new: "active"}
