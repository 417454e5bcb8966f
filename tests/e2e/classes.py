"""Scored classes of any size, written straight into the database: what tests of the screens need, without a model."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, insert, select

from db.queries import criterion_ids
from db.tables import Learner, MachineScore, Response, SectionMember, StudentVersion, Upload, utc_now
from scoring.domain import Criterion, CriterionScore, Task, UploadStatus, round_half_up
from scoring.itembank import read_item_bank
from scoring.services.actors import Actor
from scoring.services.house import Services
from scoring.settings import ROOT
from scoring.uncertainty import uncertainty

SLICE = 5_000


@dataclass(frozen=True)
class ScoredClass:
    """An upload, its responses in file order, and what the machine says of each."""

    upload_id: str
    task: Task
    ids: list[int]
    machine: dict[int, dict[str, int]]  # response -> criterion -> level


def write_class(
    services: Services, actor: Actor, section_id: int, answers: int, *, task: str = "dissolving-mass", blind: int = 0,
    alike: Sequence[int] = (), seed: int = 7,
) -> ScoredClass:  # fmt: skip
    """A class of so many scored answers to one of the sample tasks.

    Args:
        services: Over the database to write into.
        actor: Who uploaded it.
        section_id: Whose class it is.
        answers: How many.
        task: The task's key.
        blind: So many of the first answers are drawn for scoring without the machine.
        alike: Places in the file of answers that say the same.
        seed: For the machine's levels.
    """
    chance = random.Random(seed)
    texts = [r.text for r in read_item_bank(ROOT / "samples" / "classroom").of_task(task) if r.text.strip()]
    available = next(entry for entry in services.tasks.available(actor) if entry.task.id == task)
    upload_id, machine = str(uuid.uuid4()), {}
    with services.database.write() as session:
        student = session.scalars(select(StudentVersion.id)).first()
        keys = criterion_ids(session, available.version_id)
        session.add(
            Upload(
                id=upload_id, section_id=section_id, task_version_id=available.version_id, uploaded_by=actor.user_id,
                file_name="class.csv", file_sha256="0" * 64, headers_sha256="0" * 64, mapping={}, problems=[],
                submit_token=upload_id, job_id=upload_id, status=UploadStatus.DONE, total=answers, scored=answers,
                response_count=answers, student_version_id=student, started_at=utc_now(), finished_at=utc_now(),
            )
        )  # fmt: skip
        session.flush()
        learner = (session.scalar(select(func.max(Learner.id))) or 0) + 1
        first = (session.scalar(select(func.max(Response.id))) or 0) + 1
        for start in range(0, answers, SLICE):
            places = range(start, min(start + SLICE, answers))
            learners = [{"id": learner + i, "name": ""} for i in places]
            members = [
                {"section_id": section_id, "learner_id": learner + i, "identifier": f"s{learner + i}"} for i in places
            ]
            rows, scores = [], []
            for i in places:
                views = {c.id: _view(c, chance) for c in available.task.criteria}
                levels = {key: view.level for key, view in views.items()}
                machine[first + i] = levels
                rows.append(
                    {
                        "id": first + i, "upload_id": upload_id, "learner_id": learner + i, "row_number": i + 2,
                        "text": texts[i % len(texts)], "blind": i < blind,
                        "uncertainty": None if i < blind else uncertainty(list(views.values())),
                        "machine_total": None if i < blind else sum(levels.values()),
                        "alike_group": "alike" if i in alike else None,
                    }
                )  # fmt: skip
                scores += [
                    {
                        "response_id": first + i, "criterion_id": keys[view.criterion_id],
                        "student_version_id": student,
                        "level": view.level, "expected": view.expected, "probabilities": list(view.probabilities),
                        "level_set": list(view.level_set), "job_id": upload_id,
                    }
                    for view in views.values()
                ]  # fmt: skip
            for table, values in ((Learner, learners), (SectionMember, members), (Response, rows)):
                session.execute(insert(table), values)
            session.execute(insert(MachineScore), scores)
    return ScoredClass(upload_id, available.task, sorted(machine), machine)


def _view(criterion: Criterion, chance: random.Random) -> CriterionScore:
    """A model's view as it could be: any distribution, and the levels with an even share or more as its set."""
    drawn = [chance.random() + 0.05 for _ in criterion.levels]
    shares = tuple(value / sum(drawn) for value in drawn)
    expected = sum(level * share for level, share in zip(criterion.values, shares, strict=True))
    level = round_half_up(expected)
    likely = [v for v, share in zip(criterion.values, shares, strict=True) if share >= 1 / len(shares) or v == level]
    return CriterionScore(criterion.id, level, expected, shares, tuple(range(min(likely), max(likely) + 1)))
