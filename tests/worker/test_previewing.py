"""A preview as durable work: both versions score everything, and what differs is listed. Models are fakes here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import select, update

from db.tables import PreviewChange, StudentVersion
from scoring.domain import CriterionScore
from scoring.inference.engine import ResponseScore
from scoring.services.promotion import PreviewView
from scoring.services.runs import RunStatus
from scoring.worker import previewing
from scoring.worker.turns import Turns
from tests.conftest import COLUMNS, SHAPES, School, class_csv
from tests.db.authored import add_task, add_version

OWN = "why-do-puddles-vanish"


class FakeScorer:
    """Level by what a text holds, `shift` higher for texts with a digit 7; how often each text came is kept."""

    def __init__(self, shift: int = 0, moved: str = "", meanwhile: Callable[[], object] = lambda: None) -> None:
        self.shift, self.moved, self.meanwhile = shift, moved, meanwhile
        self.asked: list[str] = []

    def score(self, task: str, texts: Sequence[str]) -> list[ResponseScore]:
        self.asked += texts
        self.meanwhile()
        return [self._one(task, text) for text in texts]

    def _one(self, task: str, text: str) -> ResponseScore:
        nudge = 1e-9 if self.moved and self.moved in text else 0.0
        if task == OWN:
            level = min(2, ("7" in text) * self.shift)
            return ResponseScore(
                (CriterionScore("evaporation", level, float(level), (0.5, 0.3, 0.2)),), ((1.0,),), False
            )
        heat = CriterionScore("heat", 1, 1.1 + nudge, (0.1, 0.7, 0.2))
        return ResponseScore((heat, CriterionScore("claim", 0, 0.2, (0.8, 0.2))), ((0.5, 0.5),), False)


def load(school: School, active: FakeScorer, candidate: FakeScorer) -> None:
    """As a worker does at its start; the candidate's folder is called `new`."""
    previewing.configure(
        school.database, Turns(), encoder="minilm", device="cpu",
        load=lambda folder: candidate if folder.name == "new" else active,  # type: ignore[arg-type,return-value]
    )  # fmt: skip


@pytest.fixture
def scorers(school: School, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[FakeScorer, FakeScorer]:
    monkeypatch.setattr(previewing, "CHUNK", 4)
    monkeypatch.setattr(previewing, "read_manifest", lambda _folder: {})
    scorers = FakeScorer(), FakeScorer(shift=2)
    load(school, *scorers)
    return scorers


def arrange(school: School, folder: Path, *, known: bool = True) -> str:
    """Nine answers to a task of the house, one of them blank, eight to one's own, and the preview of a candidate."""
    rows = [(f"s{n}", "", f"Heat moves, {n}." if n else "") for n in range(9)]
    school.upload(rows, token="house")
    task_id = add_task(school)
    candidate = add_version(school, folder, task_id=task_id, parent=1)
    with school.database.write() as session:
        shapes = session.get_one(StudentVersion, candidate).shapes
        session.execute(update(StudentVersion).where(StudentVersion.id == 1).values(shapes=shapes))
    version = school.services.tasks.get(school.educator, task_id).version_id
    own = class_csv([(f"o{n}", "", f"It rose, {n}.") for n in range(8)])
    school.services.uploads.submit(school.educator, school.section, version, "own.csv", own, COLUMNS, "own")
    if not known:
        with school.database.write() as session:
            session.execute(update(StudentVersion).where(StudentVersion.id == 1).values(shapes=SHAPES))
    return school.services.promotion.preview(school.educator, candidate, "look")


def run(preview_id: str) -> str:
    return str(previewing.preview.__wrapped__(preview_id, preview_id))


def seen(school: School, preview_id: str) -> PreviewView:
    return school.services.promotion.preview_state(school.educator, preview_id)


def test_every_answer_is_scored_by_both_and_what_changes_is_listed(
    school: School, tmp_path: Path, scorers: tuple[FakeScorer, FakeScorer]
) -> None:
    preview_id = arrange(school, tmp_path / "new")
    assert seen(school, preview_id).total == 16
    assert run(preview_id) == RunStatus.DONE
    done = seen(school, preview_id)
    assert (done.done, done.total, done.error) == (16, 16, "")
    assert (done.other_tasks.answers, done.other_tasks.identical) == (8, True)
    (change,) = done.changed
    assert (change.text, change.criterion_id, change.before, change.after) == ("It rose, 7.", "evaporation", 0, 2)
    active, candidate = scorers
    assert active.asked == candidate.asked
    assert len(active.asked) == 16
    assert not previewing._pairs


def test_a_last_bit_that_moved_is_found(school: School, tmp_path: Path, scorers: tuple[FakeScorer, FakeScorer]) -> None:
    scorers[1].moved = ", 5"
    preview_id = arrange(school, tmp_path / "new")
    run(preview_id)
    assert seen(school, preview_id).other_tasks.moved == 1
    assert not seen(school, preview_id).other_tasks.identical


def test_answers_that_the_active_version_does_not_score_have_no_before(
    school: School, tmp_path: Path, scorers: tuple[FakeScorer, FakeScorer]
) -> None:
    preview_id = arrange(school, tmp_path / "new", known=False)
    run(preview_id)
    done = seen(school, preview_id)
    assert done.changed_count == 8
    assert {(change.before, change.after) for change in done.changed} == {(None, 0), (None, 2)}
    assert len(scorers[0].asked) == 8


def test_a_killed_preview_goes_on_and_counts_nothing_twice(
    school: School, tmp_path: Path, scorers: tuple[FakeScorer, FakeScorer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previewing, "STEP_S", 0.0)
    preview_id = arrange(school, tmp_path / "new")
    previewing.begin_preview(preview_id, preview_id)

    class Killed(BaseException):
        pass

    def kill() -> None:
        raise Killed

    assert previewing.compare_some(preview_id, preview_id) == RunStatus.RUNNING
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scorers[1], "meanwhile", kill)
        with pytest.raises(Killed):
            previewing.compare_some(preview_id, preview_id)
    assert previewing.compare_some(preview_id, preview_id) == RunStatus.RUNNING
    assert seen(school, preview_id).done == 8
    load(school, *scorers)  # another process
    monkeypatch.setattr(previewing, "STEP_S", 3.0)
    assert run(preview_id) == RunStatus.DONE
    done = seen(school, preview_id)
    assert (done.done, done.total, done.other_tasks.answers, done.changed_count) == (16, 16, 8, 1)


def test_a_cancel_stops_it(school: School, tmp_path: Path, scorers: tuple[FakeScorer, FakeScorer]) -> None:
    preview_id = arrange(school, tmp_path / "new")
    scorers[0].meanwhile = lambda: school.services.promotion.cancel_preview(school.educator, preview_id)
    assert run(preview_id) == RunStatus.CANCELLED
    assert seen(school, preview_id).done == 0
    assert len(scorers[0].asked) == 4


def test_an_answer_that_was_erased_meanwhile_is_not_listed(
    school: School, tmp_path: Path, scorers: tuple[FakeScorer, FakeScorer]
) -> None:
    preview_id = arrange(school, tmp_path / "new")
    uploads, _ = school.services.uploads.recent(school.educator)
    own = next(upload.id for upload in uploads if upload.file_name == "own.csv")
    last = school.response_ids(own)[-1]

    def erase() -> None:
        if any("7" in text and "rose" in text for text in scorers[0].asked):
            scorers[0].meanwhile = lambda: None
            school.services.review.erase_response(school.educator, last)

    scorers[0].meanwhile = erase
    assert run(preview_id) == RunStatus.DONE
    assert seen(school, preview_id).changed_count == 0
    with school.database.read() as session:
        assert session.scalars(select(PreviewChange)).all() == []


def test_a_version_that_can_not_be_loaded_ends_it_in_words(
    school: School, tmp_path: Path, scorers: tuple[FakeScorer, FakeScorer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    preview_id = arrange(school, tmp_path / "new")
    assert run(preview_id) == RunStatus.FAILED
    assert "can't be loaded" in seen(school, preview_id).error


def test_of_a_version_that_adds_no_task_every_change_is_listed(
    school: School, tmp_path: Path, scorers: tuple[FakeScorer, FakeScorer]
) -> None:
    arrange(school, tmp_path / "adding")
    with school.database.write() as session:
        shapes = session.get_one(StudentVersion, 1).shapes
        other = StudentVersion(
            version_key="other", folder=str(tmp_path / "new"), state="candidate", card={}, shapes=shapes
        )
        session.add(other)
        session.flush()
        other_id = other.id
    preview_id = school.services.promotion.preview(school.administrator, other_id, "other")
    assert run(preview_id) == RunStatus.DONE
    done = school.services.promotion.preview_state(school.administrator, preview_id)
    assert (done.done, done.other_tasks.answers) == (16, 0)
    assert [(change.before, change.after) for change in done.changed] == [(0, 2)]
