"""The steps of a scoring job, one at a time, with a model that is not the point here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import select, update

from db.engine import Database
from db.tables import MachineScore, ResponseFlag, StudentVersion, Worker
from scoring.domain import CriterionScore, UploadStatus
from scoring.inference.engine import ResponseScore
from scoring.worker import workflows
from scoring.worker.heartbeat import Heartbeat
from tests.conftest import School

ROWS = [(f"s{i}", "", f"Heat moves from the plate, {i}.") for i in range(10)]


class FakeEngine:
    """Gives everyone level 1 of `heat` and 0 of `claim`; what it was asked is kept."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def score(self, _task: str, texts: Sequence[str]) -> list[ResponseScore]:
        self.asked += texts
        self.meanwhile()
        criteria = (
            CriterionScore("heat", 1, 1.1, (0.1, 0.7, 0.2), (1, 2)),
            CriterionScore("claim", 0, 0.2, (0.8, 0.2)),
        )
        return [ResponseScore(criteria, ((0.25, 0.75),), truncated="5." in text) for text in texts]


class FakeStudents:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine = engine

    def get(self, _database: Database, _version: int) -> FakeEngine:
        return self.engine


@pytest.fixture
def engine(school: School) -> Iterator[FakeEngine]:
    engine = FakeEngine()
    workflows.configure(school.database, FakeStudents(engine), 4)  # type: ignore[arg-type]
    return engine


def begin(school: School, upload_id: str, *, again: bool = False) -> dict[str, Any]:
    return workflows.begin_scoring(upload_id, upload_id, again)


def chunk(upload_id: str, after: int = 0, *, again: bool = False) -> dict[str, Any]:
    return workflows.score_chunk(upload_id, upload_id, 1, again, after)


def saved(school: School) -> list[MachineScore]:
    with school.database.read() as session:
        return list(session.scalars(select(MachineScore)))


def test_chunks_cover_every_answer_once_and_count_it(school: School, engine: FakeEngine) -> None:
    upload_id = school.upload(ROWS)
    assert begin(school, upload_id)["status"] == UploadStatus.RUNNING
    after, steps = 0, 0
    while (result := chunk(upload_id, after))["after"] is not None:
        after, steps = result["after"], steps + 1
    assert steps == 3
    assert sorted(engine.asked) == sorted(text for _, _, text in ROWS)
    assert len(saved(school)) == 2 * len(ROWS)
    assert school.services.uploads.get(school.educator, upload_id).done == len(ROWS)
    assert workflows.finish_scoring(upload_id, upload_id, UploadStatus.DONE, "") == UploadStatus.DONE


def test_a_chunk_that_runs_twice_scores_nothing_twice(school: School, engine: FakeEngine) -> None:
    upload_id = school.upload(ROWS)
    begin(school, upload_id)
    chunk(upload_id)
    chunk(upload_id)
    assert len(engine.asked) == len(set(engine.asked))
    assert school.services.uploads.get(school.educator, upload_id).done == len(engine.asked)


def test_a_cancel_while_the_model_works_keeps_that_chunk_out(school: School, engine: FakeEngine) -> None:
    upload_id = school.upload(ROWS)
    begin(school, upload_id)
    engine.meanwhile = lambda: school.services.uploads.cancel(school.educator, upload_id)
    assert chunk(upload_id)["status"] == UploadStatus.CANCELLED
    assert saved(school) == []
    assert workflows.finish_scoring(upload_id, upload_id, UploadStatus.DONE, "") == UploadStatus.CANCELLED
    assert school.services.uploads.get(school.educator, upload_id).status is UploadStatus.CANCELLED


def test_a_job_that_was_replaced_writes_nothing(school: School, engine: FakeEngine) -> None:
    upload_id = school.upload(ROWS)
    begin(school, upload_id)
    school.services.uploads.cancel(school.educator, upload_id)
    school.services.uploads.score_again(school.educator, upload_id)
    assert chunk(upload_id)["status"] == UploadStatus.CANCELLED
    assert saved(school) == []


def test_answers_read_in_part_are_flagged_once(school: School, engine: FakeEngine) -> None:
    upload_id = school.upload(ROWS)
    begin(school, upload_id)
    chunk(upload_id, school.response_ids(upload_id)[3])
    chunk(upload_id, school.response_ids(upload_id)[3], again=True)
    with school.database.read() as session:
        assert [flag.kind for flag in session.scalars(select(ResponseFlag))] == ["read_in_part"]


def test_a_version_that_does_not_know_the_task_fails_the_upload_in_plain_words(
    school: School, engine: FakeEngine
) -> None:
    upload_id = school.upload(ROWS)
    with school.database.write() as session:
        session.execute(update(StudentVersion).values(shapes={"melting-ice": {"heat": [0, 1]}}))
    assert begin(school, upload_id)["status"] == UploadStatus.FAILED
    upload = school.services.uploads.get(school.educator, upload_id)
    assert upload.status is UploadStatus.FAILED
    assert "does not know “Why does ice melt?”" in upload.error


def test_a_full_disk_is_waited_for_and_nothing_is_lost(
    school: School,
    engine: FakeEngine,
    fill_disk: Callable[..., Callable[[], None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workflows, "DISK_FULL_PAUSE_S", 0.05)
    monkeypatch.setattr(workflows._Tools, "chunk_size", 200)
    rows = [(f"s{i}", "", f"Heat moves from the plate, {i}.") for i in range(150)]
    upload_id = school.upload(rows)
    begin(school, upload_id)
    free = fill_disk(school.database)
    waiting = threading.Thread(target=chunk, args=(upload_id,))
    waiting.start()
    time.sleep(0.4)
    assert waiting.is_alive()
    free()
    waiting.join(20)
    assert not waiting.is_alive()
    assert len(saved(school)) == 2 * len(rows)
    assert school.services.uploads.get(school.educator, upload_id).done == len(rows)


def test_a_job_that_ended_without_saying_so_is_told_and_can_go_on(
    school: School, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = school.upload(ROWS)
    begin(school, upload_id)

    class Ended:
        status = "ERROR"

    monkeypatch.setattr(workflows.DBOS, "get_workflow_status", lambda _job: Ended)
    workflows.close_abandoned()
    upload = school.services.uploads.get(school.educator, upload_id)
    assert upload.status is UploadStatus.FAILED
    assert "Score the rest" in upload.error
    school.services.uploads.score_rest(school.educator, upload_id)
    assert school.services.uploads.get(school.educator, upload_id).status is UploadStatus.QUEUED


def test_the_heartbeat_outlives_a_full_disk(
    school: School, fill_disk: Callable[..., Callable[[], None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scoring.worker.heartbeat.INTERVAL_S", 0.05)

    def beat() -> Worker | None:
        with school.database.read() as session:
            return session.get(Worker, "w")

    with Heartbeat(school.database, "w", lambda: {"device": "cpu", "student_version_key": "v" * 60}) as heartbeat:
        heartbeat.report("ready")
        free = fill_disk(school.database)
        time.sleep(0.3)
        free()
        before = beat()
        assert before is not None
        time.sleep(0.5)
        after = beat()
        assert after is not None
        assert after.heartbeat_at > before.heartbeat_at
    stopped = beat()
    assert stopped is not None
    assert stopped.state == "stopped"
