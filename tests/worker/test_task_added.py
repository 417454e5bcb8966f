"""A task is added with the real trainer, on a small student: trained, previewed, activated, scored, rolled back."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from db.tables import MachineScore, StudentVersion
from scoring.domain import UploadStatus
from scoring.errors import Conflict, ModelUnavailable
from scoring.inference.engine import Engine
from scoring.intake.labelled import ExampleColumns
from scoring.services.adaptations import RunStatus
from scoring.services.tasks import load_item_bank
from scoring.services.versions import register_student
from scoring.student.encoder import EncoderFiles
from scoring.training.adaptation import AdaptConfig, adapt
from scoring.worker import adapting, previewing, workflows
from scoring.worker.students import Students
from tests.conftest import COLUMNS as CLASS_COLUMNS
from tests.conftest import School, class_csv
from tests.model.conftest import tiny_bank, tiny_config, tiny_encoder, tiny_student, tiny_version  # noqa: F401

CONFIG = AdaptConfig(
    folds=2, passes=100, epochs=2, curve_draws=1, replicates=50, lr_delta=5e-3, lr_task=1e-2, delta_from=0
)  # fmt: skip
FILLER = ["the", "a", "is", "i", "think", "it", "so", "and", "because", "more", "less"]
COLUMNS = ExampleColumns(text="text", response_id="id", levels={"score": "score"})


def entry(title: str) -> dict[str, Any]:
    """A task with one criterion of four levels."""
    return {
        "title": title,
        "prompt": f"{title}: why is the light faster?",
        "criteria": [
            {"id": "score", "name": "Score", "levels": [{"value": v, "descriptor": f"{v} ideas"} for v in range(4)]}
        ],
    }


def answers(count: int, seed: int) -> list[tuple[str, str, int]]:
    """Answers whose level is how many of three words they hold: id, text, level."""
    generator = random.Random(seed)
    rows = []
    for number in range(count):
        level = number % 4
        words = [*("water", "energy", "light")[:level], *generator.choices(FILLER, k=7), f"x{number}"]
        generator.shuffle(words)
        rows.append((f"v{seed}-{number}", " ".join(words), level))
    return rows


@pytest.fixture
def house(
    school: School,
    tiny_version: Path,  # noqa: F811
    tiny_encoder: EncoderFiles,  # noqa: F811
    tiny_bank: Path,  # noqa: F811
) -> School:
    """The school with the tiny student active, its two tasks, and a scored class for one of them."""
    load_item_bank(school.database, tiny_bank)
    with school.database.write() as session:
        session.execute(update(StudentVersion).values(state="retired"))
    register_student(school.database, tiny_version, school.services.settings.data_dir / "versions")
    work(school, tiny_encoder)
    found = {summary.task.id: summary for summary in school.services.tasks.available(school.educator)}
    house = replace(school, task=found["melting.ice"].id, version=found["melting.ice"].version_id)
    upload_and_score(house, house.version, [(f"s{n}", "", text) for n, (_, text, _) in enumerate(answers(20, 3))], "c")
    return house


def work(school: School, encoder: EncoderFiles) -> None:
    """As a worker does at its start."""
    name = str(encoder.folder)
    students = Students(encoder=name, device="cpu")
    workflows.configure(school.database, students, 256)

    def small(*given: Any, **options: Any) -> Any:
        return adapt(*given, **{**options, "config": replace(CONFIG, quick=options["config"].quick)})

    adapting.configure(
        school.database, students.turns, school.services.settings.data_dir, encoder=name, device="cpu", trainer=small
    )
    previewing.configure(school.database, students.turns, encoder=name, device="cpu")


def upload_and_score(house: School, version: int, rows: list[tuple[str, str, str]], token: str) -> str:
    upload_id = house.services.uploads.submit(
        house.educator, house.section, version, "class.csv", class_csv(rows), CLASS_COLUMNS, token
    )
    begun = workflows.begin_scoring(upload_id, upload_id, False)
    assert begun["status"] == UploadStatus.RUNNING, house.services.uploads.get(house.educator, upload_id).error
    workflows.score_chunk(upload_id, upload_id, begun["student_version_id"], False, 0)
    workflows.finish_scoring(upload_id, upload_id, UploadStatus.DONE, "")
    return upload_id


def own_task(house: School, title: str, seed: int) -> int:
    task_id = house.services.authoring.create(house.educator, entry(title), title)
    lines = ["id,text,score", *(f"{i},{text},{level}" for i, text, level in answers(40, seed))]
    lines += [f"{i},{text}," for i, text, _ in answers(12, seed + 100)]  # not labelled
    house.services.examples.save(house.educator, task_id, "a.csv", "\n".join(lines).encode(), COLUMNS, f"{title} file")
    return task_id


def train(house: School, task_id: int, token: str, **options: Any) -> int:
    """Start a run and do all of it; the candidate."""
    run_id = house.services.adaptations.start(house.educator, task_id, token, **options)
    assert adapting.perform(run_id, run_id, adapting.train) == RunStatus.DONE, error_of(house, run_id)
    candidate = house.services.adaptations.get(house.educator, run_id).candidate_id
    assert candidate is not None
    return candidate


def error_of(house: School, run_id: str) -> str:
    return house.services.adaptations.get(house.educator, run_id).error


def active(house: School) -> int:
    with house.database.read() as session:
        return session.scalars(select(StudentVersion.id).where(StudentVersion.state == "active")).one()


def engine(house: School, version_id: int, encoder: EncoderFiles) -> Engine:
    with house.database.read() as session:
        folder = session.get_one(StudentVersion, version_id).folder
    return Engine.load(Path(folder), encoder=str(encoder.folder), device="cpu", precision="fp32")


def levels(house: School) -> list[tuple[int, int, int]]:
    with house.database.read() as session:
        rows = session.execute(select(MachineScore.response_id, MachineScore.student_version_id, MachineScore.level))
        return sorted(tuple(row) for row in rows)


def test_from_labelled_answers_to_scores_and_back(house: School, tiny_encoder: EncoderFiles) -> None:  # noqa: F811
    services, educator = house.services, house.educator
    before, scores = active(house), levels(house)
    task_id = own_task(house, "Volcano", 5)
    candidate = train(house, task_id, "run")
    report = services.adaptations.newest(educator, task_id).report  # type: ignore[union-attr]
    assert report is not None
    assert report["drift"]["identical"] is True
    assert report["unlabelled"] == 12
    assert len(report["to_label"]) == 10
    waiting = services.examples.pool(educator, task_id, [one["response_id"] for one in report["to_label"]])
    assert len(waiting) == 10
    assert active(house) == before

    preview_id = services.promotion.preview(educator, candidate, "look")
    assert previewing.preview.__wrapped__(preview_id, preview_id) == RunStatus.DONE
    seen = services.promotion.preview_state(educator, preview_id)
    assert (seen.done, seen.total, seen.answers) == (20, 20, 20)
    assert (seen.other_tasks.answers, seen.other_tasks.identical) == (20, True)
    assert seen.changed_count == 0

    failed = services.promotion.compare(educator, candidate).failed_checks
    services.promotion.activate(educator, candidate, before, "Only for my own class." if failed else "")
    assert active(house) == candidate
    assert levels(house) == scores
    task = services.tasks.get(educator, task_id)
    assert task.scorable
    rows = [(f"t{n}", "", text) for n, (_, text, _) in enumerate(answers(8, 9))]
    upload_id = upload_and_score(house, task.version_id, rows, "own class")
    assert services.uploads.get(educator, upload_id).done == 8

    assert services.promotion.roll_back(educator, candidate) == before
    assert active(house) == before
    assert not services.tasks.get(educator, task_id).scorable
    services.promotion.activate(educator, candidate, before, "Once more.")
    assert services.tasks.get(educator, task_id).scorable


def test_training_again_replaces_the_task_and_the_preview_lists_what_changes(
    house: School,
    tiny_encoder: EncoderFiles,  # noqa: F811
) -> None:
    services, educator = house.services, house.educator
    task_id = own_task(house, "Volcano", 5)
    first = train(house, task_id, "run", quick=True)
    services.promotion.activate(educator, first, active(house), "Quick look.")
    rows = [(f"t{n}", "", text) for n, (_, text, _) in enumerate(answers(30, 9))]
    upload_and_score(house, services.tasks.get(educator, task_id).version_id, rows, "own class")
    for key in [text.response_key for text in services.examples.page(educator, task_id, labelled=False)[0]][:6]:
        services.examples.label(educator, task_id, key, {"score": 3})
    second = train(house, task_id, "again")
    preview_id = services.promotion.preview(educator, second, "look")
    assert previewing.preview.__wrapped__(preview_id, preview_id) == RunStatus.DONE
    seen = services.promotion.preview_state(educator, preview_id, limit=5)
    assert seen.done == 50
    assert (seen.other_tasks.answers, seen.other_tasks.identical) == (20, True)
    old, new = engine(house, first, tiny_encoder), engine(house, second, tiny_encoder)
    texts = [text for _, _, text in rows]
    key = services.tasks.get(educator, task_id).task.id
    expected = sum(
        a.criteria[0].level != b.criteria[0].level
        for a, b in zip(old.score(key, texts), new.score(key, texts), strict=True)
    )
    assert seen.changed_count == expected > 0
    assert len(seen.changed) == min(5, expected)
    for change in seen.changed:
        assert change.before != change.after
        assert change.before is not None
    compared = services.promotion.compare(educator, second)
    assert compared.criteria[0].active is not None
    assert "qwk" in (compared.criteria[0].candidate or {})


def test_two_tasks_added_at_once_both_end_up_active(house: School, tiny_encoder: EncoderFiles) -> None:  # noqa: F811
    services, educator, base = house.services, house.educator, active(house)
    volcano, river = own_task(house, "Volcano", 5), own_task(house, "River", 6)
    first, second = train(house, volcano, "one", quick=True), train(house, river, "two", quick=True)
    services.promotion.activate(educator, first, base, "Quick look.")
    with pytest.raises(Conflict, match="up to date"):
        services.promotion.activate(educator, second, first, "Quick look.")
    assert services.promotion.candidates(educator, river)[0].stale
    run_id = services.promotion.bring_up_to_date(educator, second, "up")
    assert adapting.perform(run_id, run_id, adapting.graft_task) == RunStatus.DONE, error_of(house, run_id)
    run = services.adaptations.get(educator, run_id)
    assert run.brings_up_to_date
    assert run.report is not None
    assert run.report["drift"] == {"tasks": 3, "texts": 16, "identical": True}
    joined = run.candidate_id
    assert joined is not None
    newest = services.promotion.candidates(educator, river)[0]
    assert (newest.version_id, newest.parent_id, newest.stale) == (joined, first, False)
    assert newest.metrics == services.promotion.candidates(educator, river)[1].metrics != ()
    services.promotion.activate(educator, joined, first, "Quick look.")
    assert services.tasks.get(educator, volcano).scorable
    assert services.tasks.get(educator, river).scorable
    texts = [text for _, text, _ in answers(6, 9)]
    together = engine(house, joined, tiny_encoder)
    for version, task_id in ((first, volcano), (second, river)):
        key = services.tasks.get(educator, task_id).task.id
        assert together.score(key, texts) == engine(house, version, tiny_encoder).score(key, texts)


def test_a_run_that_is_killed_in_the_middle_gives_the_version_it_would_have_given(
    house: School,
    tiny_encoder: EncoderFiles,  # noqa: F811
) -> None:
    services, educator = house.services, house.educator
    task_id = own_task(house, "Volcano", 5)
    whole = train(house, task_id, "whole")
    with house.database.write() as session:
        session.execute(update(StudentVersion).where(StudentVersion.id == whole).values(version_key="put away"))
    run_id = services.adaptations.start(educator, task_id, "killed")
    adapting.begin_training(run_id, run_id)
    while "final" not in services.adaptations.get(educator, run_id).parts:
        assert adapting.train_some(run_id, run_id) == RunStatus.RUNNING
        # Each few moments another process goes on.
        work(house, tiny_encoder)
    assert adapting.perform(run_id, run_id, adapting.train) == RunStatus.DONE
    resumed = services.adaptations.get(educator, run_id).candidate_id
    assert resumed not in (None, whole)
    with house.database.read() as session:
        one, other = (Path(session.get_one(StudentVersion, i).folder) for i in (whole, resumed))
    config_one, config_other = (json.loads((folder / "config.json").read_text()) for folder in (one, other))
    assert config_one == config_other


def test_a_damaged_candidate_leaves_the_active_version_alone(house: School) -> None:
    services, educator, base = house.services, house.educator, active(house)
    candidate = train(house, own_task(house, "Volcano", 5), "run", quick=True)
    with house.database.read() as session:
        weights = Path(session.get_one(StudentVersion, candidate).folder) / "student.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelUnavailable, match="changed or damaged"):
        services.promotion.activate(educator, candidate, base, "All the same.")
    assert active(house) == base
    preview_id = services.promotion.preview(educator, candidate, "look")
    assert previewing.preview.__wrapped__(preview_id, preview_id) == RunStatus.FAILED
    assert "can't be loaded" in services.promotion.preview_state(educator, preview_id).error
