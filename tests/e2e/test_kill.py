"""SIGKILL at random moments: no accepted answer is lost, none is scored twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.tables import MachineScore, Response, Upload
from scoring.domain import UploadStatus
from scoring.intake.checking import Mapping
from scoring.intake.exporting import write_csv
from scoring.itembank import read_item_bank
from scoring.services.actors import Actor
from scoring.services.house import Services
from scoring.services.uploads import UploadSummary
from scoring.settings import ROOT
from tests.e2e.running import RunningApp, wait_for

MOMENTS = 20
ANSWERS = 4_000
WORKER_KILLS_PER_WEB_KILL = 2
PASSWORD = "a long enough sentence"


def class_file(answers: int, task_id: str | None = None) -> bytes:
    """So many different answers, from the sample classroom's own, to one task or to all."""
    bank = read_item_bank(ROOT / "samples" / "classroom")
    texts = [r.text for r in (bank.of_task(task_id) if task_id else bank.responses) if r.text.strip()]
    rows = [[f"s{i}", f"{texts[i % len(texts)]} ({i})"] for i in range(answers)]
    return write_csv(["student", "answer"], rows)


def school(services: Services) -> tuple[Actor, int]:
    """The first administrator with a section."""
    code = services.accounts.new_setup_code()
    assert code is not None
    token = services.accounts.set_up(code, "Ada", "ada@school.example", PASSWORD, "127.0.0.1")
    actor = services.accounts.resume(token)
    return actor, services.sections.create(actor, "Grade 7").id


@pytest.mark.kill
@pytest.mark.timeout(900)
def test_every_answer_is_scored_exactly_once_whatever_is_killed(tmp_path: Path) -> None:
    seed = int(os.environ.get("EVENHAND_TEST_SEED", random.SystemRandom().randrange(10**6)))
    print(f"EVENHAND_TEST_SEED={seed}")
    chance = random.Random(seed)
    app = RunningApp(tmp_path / "var", EVENHAND_CHUNK_SIZE="8")
    app.start()
    services = app.services()
    try:
        app.wait_until_ready()
        actor, section_id = school(services)
        task = next(t for t in services.tasks.available(actor) if t.scorable)
        upload_id = services.uploads.submit(
            actor, section_id, task.version_id, "class.csv", class_file(ANSWERS, task.task.id),
            Mapping("answer", "student"), "once",
        )  # fmt: skip
        seen = []
        for moment in range(MOMENTS):
            if moment % (WORKER_KILLS_PER_WEB_KILL + 1) == WORKER_KILLS_PER_WEB_KILL:
                time.sleep(chance.uniform(0, 2))
                app.kill_web()
                app.start()
            else:
                wait_for("a worker to kill", app.kill_worker, every=0.02)
            seen.append(services.uploads.get(actor, upload_id).done)
            if chance.random() < 0.7:
                # Mostly in the midst of scoring, sometimes while everything still starts.
                before = seen[-1]
                # Before the first answer is scored, all are checked.
                wait_for("progress", lambda done=before: services.uploads.get(actor, upload_id).done > done, within=300)
            time.sleep(chance.uniform(0, 0.7))
        print("answers scored at the kills:", seen)
        assert len(set(seen)) > MOMENTS / 3, "the kills did not fall into the midst of the work"
        assert seen[-1] < ANSWERS, "scoring had ended before the last kill"
        final = wait_for("the end of scoring", lambda: _finished(services, actor, upload_id), within=300)
        assert final.status is UploadStatus.DONE, final.error
        criteria = len(task.task.criteria)
        with services.database.read() as session:
            per_response = session.execute(
                select(Response.id, func.count(MachineScore.id))
                .outerjoin(MachineScore, MachineScore.response_id == Response.id)
                .where(Response.upload_id == upload_id)
                .group_by(Response.id)
            ).all()
        assert len(per_response) == ANSWERS
        assert {count for _, count in per_response} == {criteria}
        # The count grows in the transaction that saves the scores: a chunk saved twice would show here.
        assert final.done == ANSWERS
    finally:
        app.stop()
        services.close()


def _finished(services: Services, actor: Actor, upload_id: str) -> UploadSummary | None:
    upload = services.uploads.get(actor, upload_id)
    return upload if upload.finished else None


SUBMIT = """
import sys
from pathlib import Path
from scoring.intake.checking import Mapping
from scoring.services.house import open_services
from scoring.settings import Settings
data_dir, token_hash, section, version, file, token = sys.argv[1:]
services = open_services(Settings(data_dir=Path(data_dir)))
actor = services.accounts.resume(token_hash)
print("begin", flush=True)
services.uploads.submit(actor, int(section), int(version), "class.csv", Path(file).read_bytes(),
                        Mapping("answer", "student"), token)
"""


@pytest.mark.kill
@pytest.mark.timeout(300)
def test_a_submission_that_is_killed_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    from scoring.services.house import open_services, prepare
    from scoring.settings import Settings

    settings = Settings(data_dir=tmp_path / "var")
    prepare(settings)
    services = open_services(settings)
    code = services.accounts.new_setup_code()
    assert code is not None
    token = services.accounts.set_up(code, "Ada", "ada@school.example", PASSWORD, "127.0.0.1")
    actor = services.accounts.resume(token)
    section_id = services.sections.create(actor, "Grade 7").id
    task = next(t for t in services.tasks.available(actor) if t.scorable)
    file = tmp_path / "class.csv"
    file.write_bytes(class_file(20_000))
    chance = random.Random(7)
    outcomes = set()
    for attempt in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", SUBMIT, str(settings.data_dir), token, str(section_id), str(task.version_id),
             str(file), f"token-{attempt}"],
            cwd=ROOT, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"begin\n"
        # The first kill comes before the file can have been read; the others anywhere.
        time.sleep(0.05 if attempt == 0 else chance.uniform(0.2, 6))
        process.kill()
        process.wait()
        with services.database.read() as session:
            uploads = session.scalars(select(Upload).where(Upload.submit_token == f"token-{attempt}")).all()
            for upload in uploads:
                rows = session.scalar(select(func.count()).select_from(Response).where(Response.upload_id == upload.id))
                assert rows == 20_000
                assert upload.status == UploadStatus.QUEUED
            outcomes.add(len(uploads))
        assert outcomes <= {0, 1}
        # The same token again, as a retry would send it, gives exactly one upload.
    assert 0 in outcomes, "every kill came too late to say anything"
    services.uploads.submit(
        actor, section_id, task.version_id, "class.csv", file.read_bytes(), Mapping("answer", "student"), "token-0"
    )
    with services.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Upload).where(Upload.submit_token == "token-0")) == 1
        orphans = session.scalar(
            select(func.count()).select_from(Response).where(Response.upload_id.not_in(select(Upload.id)))
        )
    assert orphans == 0
    services.close()
