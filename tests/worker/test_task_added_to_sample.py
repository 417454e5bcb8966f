"""The sample student learns a sample task that it does not know, with the bundled encoder, in the quick way."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
import torch
from sqlalchemy import select, update

from db.tables import StudentVersion
from scoring.domain import task_to_json
from scoring.inference.engine import Engine
from scoring.intake.labelled import ExampleColumns
from scoring.itembank import read_item_bank
from scoring.services.runs import RunStatus
from scoring.services.versions import register_student
from scoring.settings import ROOT
from scoring.worker import adapting
from scoring.worker.turns import Turns
from tests.conftest import School

# Beside other work, threads that wait for each other cost more than they bring.
torch.set_num_threads(1)

HELD_OUT = "season-shadows"
EXAMPLES = 24


@pytest.mark.timeout(600)
def test_a_first_model_of_a_sample_task(school: School) -> None:
    bank = read_item_bank(ROOT / "samples" / "classroom")
    task, data_dir = bank.tasks[HELD_OUT], school.services.settings.data_dir
    keys = [criterion.id for criterion in task.criteria]
    with school.database.write() as session:
        session.execute(update(StudentVersion).values(state="retired"))
    register_student(school.database, ROOT / "samples" / "student", data_dir / "versions")
    task_id = school.services.authoring.create(school.educator, task_to_json(task), "task")
    stream = io.StringIO()
    table = csv.writer(stream)
    table.writerow(["id", "text", *keys])
    for answer in bank.of_task(HELD_OUT)[:EXAMPLES]:
        table.writerow([answer.response_id, answer.text, *(answer.levels.get(key) for key in keys)])
    columns = ExampleColumns("text", "id", {key: key for key in keys})
    school.services.examples.save(school.educator, task_id, "f.csv", stream.getvalue().encode(), columns, "file")
    run_id = school.services.adaptations.start(school.educator, task_id, "run", quick=True)
    adapting.configure(school.database, Turns(), data_dir, encoder="minilm", device="cpu")
    status = adapting.perform(run_id, run_id, adapting.train)
    run = school.services.adaptations.get(school.educator, run_id)
    assert status == RunStatus.DONE, run.error
    assert run.report is not None
    assert run.report["drift"] == {"tasks": 7, "texts": 16, "identical": True}
    assert 0 < run.report["added_bytes"] < 1_000_000
    with school.database.read() as session:
        folder = session.scalars(select(StudentVersion.folder).where(StudentVersion.id == run.candidate_id)).one()
    engine = Engine.load(Path(folder), encoder="minilm", device="cpu")
    (score,) = engine.score(HELD_OUT, [bank.of_task(HELD_OUT)[-1].text])
    assert [criterion.criterion_id for criterion in score.criteria] == keys
