"""A training run as durable work: what is saved, what a kill costs, how it ends. What trains is not the point here."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from db.tables import LabelledExample, StudentVersion
from scoring.errors import Conflict, InvalidInput, ModelUnavailable
from scoring.services import versions
from scoring.services.adaptations import AdaptationView, RunStatus
from scoring.training.adaptation import Event
from scoring.worker import adapting
from scoring.worker.turns import Rank, Turns
from tests.conftest import SHAPES, School
from tests.db.authored import REPORT, add_task, add_version

SERIES = [0.5, 0.4, 0.45, 0.55, 0.6]


class FakeTrainer:
    """Four parts, each its own event; what it was given is kept."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.before: dict[str, Callable[[], object]] = {}  # part -> what happens before it is finished
        self.report: dict[str, Any] = REPORT
        self.closed = 0

    def __call__(self, base: Path, task: Any, examples: Any, out: Path, **given: Any) -> Iterator[Event]:
        self.calls.append({"base": base, "examples": list(examples), **given})
        given["workspace"].mkdir(parents=True, exist_ok=True)
        try:
            yield from self._events(task, out, given["finished"])
        finally:
            self.closed += 1

    def _events(self, task: Any, out: Path, finished: Mapping[str, Any]) -> Iterator[Event]:
        yield Event("prepare", 0, 4, "Reading 12 answers.")
        series = {"evaporation": SERIES}
        results: dict[str, dict[str, Any]] = {
            "first": {"qwk": {"evaporation": 0.4}, "logits": {"evaporation": [[0.1, 0.2, 0.3]]}},
            "curve-8-0": {"labels": 8, "series": series},
            "final": {"examples": 12},
        }
        for done, (key, result) in enumerate(results.items(), 1):
            if key not in finished:
                self.before.get(key, lambda: None)()
                yield Event(key.split("-")[0], done, 4, f"Done with {key}.", result, key)
        self.before.get("report", lambda: None)()
        shapes = {**SHAPES, task.id: task.scoring_shape()}
        write_version(out, shapes, {"val": {"tasks": [figures(task.id)]}, "adaptation": self.report})
        yield Event("report", 4, 4, "Usable.", {"report": self.report}, "report")


def figures(task_id: str) -> dict[str, Any]:
    criterion = {"criterion_id": "evaporation", "n": 12, "qwk": 0.61, "qwk_low": 0.4, "qwk_high": 0.8, "exact": 0.7,
                 "intervals": {"exact": {"low": 0.5, "high": 0.9}}}  # fmt: skip
    return {"task_id": task_id, "criteria": [criterion]}


def write_version(out: Path, shapes: Mapping[str, Any], card: Mapping[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    weights = json.dumps([*shapes]).encode()
    (out / "student.safetensors").write_bytes(weights)
    digest = hashlib.sha256(weights).hexdigest()
    manifest = {"version_id": digest[:12], "weights_sha256": digest, "student": {"tasks": shapes}}
    (out / "config.json").write_text(json.dumps(manifest))
    (out / "card.json").write_text(json.dumps(card))


@pytest.fixture
def trainer(school: School, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTrainer:
    """The worker's steps with a trainer of a test; the active version has a folder."""
    monkeypatch.setattr(adapting, "DISK_FULL_PAUSE_S", 0.01)
    monkeypatch.setattr(adapting, "LOOK_AGAIN_S", 0.01)
    trainer = FakeTrainer()
    configure(school, trainer)
    write_version(tmp_path / "active", SHAPES, {})
    with school.database.write() as session:
        session.execute(update(StudentVersion).where(StudentVersion.id == 1).values(folder=str(tmp_path / "active")))
    return trainer


def configure(school: School, trainer: FakeTrainer, turns: Turns | None = None) -> None:
    """As a worker does at its start: nothing is in memory."""
    adapting.configure(
        school.database, turns or Turns(), school.services.settings.data_dir, encoder="minilm", device="cpu",
        trainer=trainer,
    )  # fmt: skip


def start(school: School, task_id: int, token: str = "run") -> str:
    return school.services.adaptations.start(school.educator, task_id, token)


def perform(run_id: str) -> str:
    return adapting.perform(run_id, run_id, adapting.train)


def view(school: School, run_id: str) -> AdaptationView:
    return school.services.adaptations.get(school.educator, run_id)


def active(school: School) -> int:
    with school.database.read() as session:
        return session.scalars(select(StudentVersion.id).where(StudentVersion.state == "active")).one()


def folder_of(school: School, run_id: str) -> Path:
    return school.services.settings.data_dir / "adaptations" / run_id


def test_a_run_ends_with_a_candidate_that_says_where_it_came_from(school: School, trainer: FakeTrainer) -> None:
    task_id = add_task(school)
    run_id = start(school, task_id)
    assert view(school, run_id).status is RunStatus.QUEUED
    assert perform(run_id) == RunStatus.DONE
    done = view(school, run_id)
    assert (done.status, done.done, done.total, done.error) == (RunStatus.DONE, 4, 4, "")
    assert done.report is not None
    assert done.report["verdict"] == "Usable."
    (candidate,) = school.services.promotion.candidates(school.educator, task_id)
    assert candidate.version_id == done.candidate_id
    assert (candidate.state, candidate.parent_id, candidate.by) == ("candidate", 1, "Edna Educator")
    assert not candidate.stale
    assert candidate.fits
    told = {metric.name: (metric.value, metric.low, metric.high) for metric in candidate.metrics}
    assert told == {"qwk": (0.61, 0.4, 0.8), "exact": (0.7, 0.5, 0.9)}
    assert active(school) == 1
    assert not folder_of(school, run_id).exists()
    (call,) = trainer.calls
    assert len(call["examples"]) == 12
    assert call["config"].quick is False


def test_progress_and_the_learning_curve_show_while_it_runs(school: School, trainer: FakeTrainer) -> None:
    run_id = start(school, add_task(school))
    adapting.begin_training(run_id, run_id)
    adapting.train_some(run_id, run_id)
    adapting.train_some(run_id, run_id)
    seen = view(school, run_id)
    assert (seen.status, seen.stage, seen.done, seen.total) == (RunStatus.RUNNING, "curve", 2, 4)
    assert seen.message == "Done with curve-8-0."
    assert seen.seconds_left is not None
    assert [(point.criterion_id, point.labels, point.qwk) for point in seen.curve] == [("evaporation", 8, 0.5)]
    assert (seen.curve[0].low, seen.curve[0].high) == (0.4, 0.6)
    assert seen.parts == {"first": {"qwk": {"evaporation": 0.4}}, "curve-8-0": {"labels": 8}}


def test_a_killed_run_goes_on_from_what_it_saved_and_with_the_same_examples(
    school: School, trainer: FakeTrainer
) -> None:
    task_id = add_task(school)
    run_id = start(school, task_id)
    adapting.begin_training(run_id, run_id)
    adapting.train_some(run_id, run_id)
    (folder_of(school, run_id) / "parts" / "first.safetensors").write_bytes(b"tensors")
    school.services.examples.label(school.educator, task_id, "a0-0", {"evaporation": 2})
    configure(school, trainer)  # another process
    assert perform(run_id) == RunStatus.DONE
    before, after = trainer.calls
    assert before["finished"] == {}
    assert set(after["finished"]) == {"first"}
    assert after["finished"]["first"]["logits"] == {"evaporation": [[0.1, 0.2, 0.3]]}
    assert before["examples"] == after["examples"]
    assert before["workspace"] == after["workspace"]


def test_parts_are_made_again_when_their_folder_is_gone(school: School, trainer: FakeTrainer) -> None:
    run_id = start(school, add_task(school))
    adapting.begin_training(run_id, run_id)
    adapting.train_some(run_id, run_id)
    shutil.rmtree(folder_of(school, run_id))
    configure(school, trainer)
    assert perform(run_id) == RunStatus.DONE
    assert trainer.calls[-1]["finished"] == {}


@pytest.mark.parametrize("part", ["first", "report"])
def test_a_cancel_stops_it_and_leaves_nothing_behind(school: School, trainer: FakeTrainer, part: str) -> None:
    task_id = add_task(school)
    run_id = start(school, task_id)
    trainer.before[part] = lambda: school.services.adaptations.cancel(school.educator, run_id)
    assert perform(run_id) == RunStatus.CANCELLED
    assert view(school, run_id).status is RunStatus.CANCELLED
    assert school.services.promotion.candidates(school.educator, task_id) == []
    assert trainer.closed == 1
    assert not folder_of(school, run_id).exists()
    # And the task can be trained again at once.
    trainer.before.clear()
    assert perform(start(school, task_id, "again")) == RunStatus.DONE


def test_what_the_examples_lack_is_told_in_the_trainers_own_words(school: School, trainer: FakeTrainer) -> None:
    def refuse() -> None:
        raise InvalidInput("'Evaporation' has 7 labelled answers; at least 8 different ones are needed.")

    run_id = start(school, add_task(school))
    trainer.before["first"] = refuse
    assert perform(run_id) == RunStatus.FAILED
    assert "at least 8 different ones" in view(school, run_id).error
    assert active(school) == 1


def test_an_error_of_the_program_is_told_without_its_inside(school: School, trainer: FakeTrainer) -> None:
    def fail() -> None:
        raise RuntimeError("/secret/folder is odd")

    run_id = start(school, add_task(school))
    trainer.before["final"] = fail
    assert perform(run_id) == RunStatus.FAILED
    error = view(school, run_id).error
    assert "RuntimeError" in error
    assert "secret" not in error
    assert "active model was not touched" in error


def test_a_full_disk_in_training_passes(school: School, trainer: FakeTrainer) -> None:
    times = iter([True, True])

    def full() -> None:
        if next(times, False):
            raise OSError(errno.ENOSPC, "No space left on device")

    run_id = start(school, add_task(school))
    trainer.before["final"] = full
    assert perform(run_id) == RunStatus.DONE
    assert len(trainer.calls) == 3
    assert set(trainer.calls[-1]["finished"]) == {"first", "curve-8-0"}


def test_a_disk_that_stays_full_ends_the_run_in_words_and_the_old_version_stays(
    school: School, trainer: FakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(versions.shutil, "copytree", full)
    task_id = add_task(school)
    run_id = start(school, task_id)
    assert perform(run_id) == RunStatus.FAILED
    assert view(school, run_id).error == adapting.DISK_FULL
    assert active(school) == 1
    assert school.services.promotion.candidates(school.educator, task_id) == []
    store = school.services.settings.data_dir / "versions"
    assert not store.exists() or not list(store.iterdir())


def test_a_full_database_is_waited_for_and_no_part_is_lost(
    school: School, trainer: FakeTrainer, fill_disk: Callable[..., Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scoring.worker.workflows.DISK_FULL_PAUSE_S", 0.05)
    run_id = start(school, add_task(school))
    adapting.begin_training(run_id, run_id)
    free: list[Callable[[], None]] = []
    trainer.report = {**REPORT, "verdict": "Usable. " * 4000}
    trainer.before["report"] = lambda: free.append(fill_disk(school.database))
    ended: list[str] = []
    working = threading.Thread(target=lambda: ended.append(perform(run_id)))
    working.start()
    deadline = time.monotonic() + 20
    while not free and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.4)
    assert working.is_alive()
    free[0]()
    working.join(20)
    assert ended == [RunStatus.DONE]
    assert len(trainer.calls) == 1


def test_a_version_that_would_move_other_tasks_is_thrown_away(school: School, trainer: FakeTrainer) -> None:
    trainer.report = {**REPORT, "drift": {"tasks": 1, "texts": 20, "identical": False}}
    task_id = add_task(school)
    run_id = start(school, task_id)
    assert perform(run_id) == RunStatus.FAILED
    assert "would have changed scores of other tasks" in view(school, run_id).error
    assert school.services.promotion.candidates(school.educator, task_id) == []


def test_a_damaged_base_ends_the_run_before_anything_is_trained(
    school: School, trainer: FakeTrainer, tmp_path: Path
) -> None:
    (tmp_path / "active" / "student.safetensors").write_bytes(b"damaged")
    run_id = start(school, add_task(school))
    assert perform(run_id) == RunStatus.FAILED
    assert "can't be loaded" in view(school, run_id).error
    assert trainer.calls == []


def test_training_makes_room_for_a_class_that_is_scored(school: School, trainer: FakeTrainer) -> None:
    turns = Turns()
    configure(school, trainer, turns)
    run_id = start(school, add_task(school))
    adapting.begin_training(run_id, run_id)
    scored, begun = threading.Event(), threading.Event()

    def score() -> None:
        with turns.at(Rank.BULK):
            begun.set()
            scored.wait(20)

    scoring = threading.Thread(target=score)
    scoring.start()
    begun.wait(5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapting, "STEP_S", 0.1)
        assert adapting.train_some(run_id, run_id) == RunStatus.RUNNING
    assert view(school, run_id).message == adapting.WAITING
    assert view(school, run_id).done == 0
    scored.set()
    scoring.join(5)
    assert perform(run_id) == RunStatus.DONE


def test_a_run_whose_job_ended_without_saying_so_is_told(
    school: School, trainer: FakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended:
        status = "ERROR"

    run_id = start(school, add_task(school))
    adapting.begin_training(run_id, run_id)
    monkeypatch.setattr(adapting.DBOS, "get_workflow_status", lambda _job: Ended)
    adapting.tidy()
    assert view(school, run_id).status is RunStatus.FAILED
    assert "Start it once more" in view(school, run_id).error
    assert not folder_of(school, run_id).exists()


def test_a_run_that_is_done_twice_makes_one_candidate(school: School, trainer: FakeTrainer) -> None:
    task_id = add_task(school)
    run_id = start(school, task_id)
    adapting.begin_training(run_id, run_id)
    while adapting.train_some(run_id, run_id) != adapting.TRAINED:
        pass
    task_version = school.services.tasks.get(school.educator, task_id).version_id
    # Killed after the version was listed, before the run said so.
    versions.register_student(
        school.database, folder_of(school, run_id) / "version", school.services.settings.data_dir / "versions",
        school.educator.user_id, parent_id=1, task_version_id=task_version,
    )  # fmt: skip
    assert adapting.list_candidate(run_id, run_id) == RunStatus.DONE
    assert len(school.services.promotion.candidates(school.educator, task_id)) == 1


def test_contradictory_answers_are_not_trained_on(school: School, trainer: FakeTrainer) -> None:
    task_id = add_task(school)
    examples = school.services.examples
    texts = {text.response_key: text.text for text in examples.page(school.educator, task_id)[0]}
    with school.database.write() as session:
        session.execute(
            update(LabelledExample).where(LabelledExample.response_key == "a2-0").values(text=texts["a0-0"].upper())
        )
    perform(start(school, task_id))
    keys = {row.response_id for row in trainer.calls[0]["examples"]}
    assert {"a0-0", "a2-0"}.isdisjoint(keys)
    assert len(keys) == 10


def test_a_second_run_of_the_same_task_is_refused_while_one_goes_on(school: School, trainer: FakeTrainer) -> None:
    task_id = add_task(school)
    run_id = start(school, task_id)
    assert start(school, task_id) == run_id
    with pytest.raises(Conflict, match="being trained already"):
        start(school, task_id, "other")
    perform(run_id)
    assert start(school, task_id, "other") != run_id


def test_a_candidate_with_a_changed_folder_is_not_activated(
    school: School, trainer: FakeTrainer, tmp_path: Path
) -> None:
    task_id = add_task(school)
    candidate = add_version(school, tmp_path / "candidate", task_id=task_id, parent=1)
    (tmp_path / "candidate" / "student.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelUnavailable, match="changed or damaged"):
        school.services.promotion.activate(school.educator, candidate, 1)
    assert active(school) == 1
