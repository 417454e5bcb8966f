"""A task is added in the running program while its worker is killed again and again; nothing else moves."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from scoring.domain import UploadStatus, task_to_json
from scoring.intake.checking import Mapping
from scoring.intake.exporting import write_csv
from scoring.intake.labelled import ExampleColumns
from scoring.itembank import read_item_bank
from scoring.services.actors import Actor
from scoring.services.house import Services
from scoring.services.runs import RunStatus
from scoring.settings import ROOT
from tests.e2e.running import RunningApp, wait_for
from tests.e2e.test_kill import school

HELD_OUT, KNOWN = "cart-push", "pondweed-light"
EXAMPLES = 32
KILLS = 4


def add_task(services: Services, actor: Actor) -> int:
    """A sample task that the sample student does not know, as a task of one's own with a few labelled answers."""
    bank = read_item_bank(ROOT / "samples" / "classroom")
    task = bank.tasks[HELD_OUT]
    entry = {**task_to_json(task), "id": "", "title": "Pushing a cart, again"}
    task_id = services.authoring.create(actor, entry, "task")
    keys = [criterion.id for criterion in task.criteria]
    rows = [[r.response_id, r.text, *(r.levels.get(key) for key in keys)] for r in bank.of_task(HELD_OUT)[:EXAMPLES]]
    columns = ExampleColumns("text", "response_id", {key: key for key in keys})
    data = write_csv(["response_id", "text", *keys], rows)
    services.examples.save(actor, task_id, "examples.csv", data, columns, "examples")
    return task_id


def upload(services: Services, actor: Actor, section: int, version: int, key: str, answers: int) -> str:
    texts = [r.text for r in read_item_bank(ROOT / "samples" / "classroom").of_task(key)[-answers:]]
    data = write_csv(["student", "answer"], [[f"s{i}", text] for i, text in enumerate(texts)])
    columns = Mapping(answer="answer", learner="student")
    upload_id = services.uploads.submit(actor, section, version, f"{key}.csv", data, columns, f"token {key}")
    wait_for("the class", lambda: services.uploads.get(actor, upload_id).finished, within=900)
    assert services.uploads.get(actor, upload_id).status is UploadStatus.DONE
    return upload_id


@pytest.mark.kill
@pytest.mark.timeout(3000)
def test_a_task_is_added_whatever_is_killed_and_no_other_score_moves(tmp_path: Path) -> None:
    app = RunningApp(tmp_path / "var")
    app.start()
    try:
        wait_for("the program", lambda: app.get("/readyz")[0] == 200, within=600)
        services = app.services()
        actor, section = school(services)
        known = {task.task.id: task for task in services.tasks.available(actor)}[KNOWN]
        first = upload(services, actor, section, known.version_id, KNOWN, 60)
        before = services.scores.table(actor, first).frame
        (active,) = [v.id for v in services.versions.all(actor) if v.state == "active"]
        task_id = add_task(services, actor)
        started = time.monotonic()
        run_id = services.adaptations.start(actor, task_id, "run", quick=False)
        seen: list[int] = []
        while not services.adaptations.get(actor, run_id).finished and time.monotonic() - started < 2400:
            run = services.adaptations.get(actor, run_id)
            if len(seen) < KILLS and run.done > (seen[-1] if seen else 0) + 0.1 * max(run.total, 1):
                assert run.finished or app.kill_worker()
                seen.append(run.done)
                wait_for("the next worker", app.worker_pid, within=600)
            time.sleep(0.5)
        run = services.adaptations.get(actor, run_id)
        print(f"kills at {seen} of {run.total}; {run.seconds:.0f} s; {run.report and run.report['verdict']}")
        assert run.status is RunStatus.DONE, run.error
        assert len(seen) > 1, "the kills did not fall into the midst of the work"
        assert run.report is not None
        assert run.report["drift"]["identical"] is True
        assert run.candidate_id is not None
        preview_id = services.promotion.preview(actor, run.candidate_id, "look")
        wait_for("the preview", lambda: services.promotion.preview_state(actor, preview_id).finished, within=600)
        preview = services.promotion.preview_state(actor, preview_id)
        assert (preview.status, preview.error) == (RunStatus.DONE, "")
        assert (preview.other_tasks.answers, preview.other_tasks.identical) == (60, True)
        services.promotion.activate(actor, run.candidate_id, active, "In a test.")
        task = services.tasks.get(actor, task_id)
        assert task.scorable
        upload(services, actor, section, task.version_id, HELD_OUT, 40)
        assert services.scores.table(actor, first).frame.equals(before)
        assert services.promotion.roll_back(actor, run.candidate_id) == active
    finally:
        app.stop()
