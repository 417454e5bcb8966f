"""Scored classes of any size, written straight into the database: what tests of the screens need, without a model."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, insert, select

from db.queries import criterion_ids
from db.tables import Learner, MachineScore, Response, SectionMember, StudentVersion, Upload, utc_now
from scoring.domain import Task, UploadStatus
from scoring.itembank import read_item_bank
from scoring.services.actors import Actor
from scoring.services.house import Services
from scoring.settings import ROOT

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
                shares = {c.id: _shares(chance, len(c.levels)) for c in available.task.criteria}
                levels = {c.id: c.values[shares[c.id].index(max(shares[c.id]))] for c in available.task.criteria}
                machine[first + i] = levels
                rows.append(
                    {
                        "id": first + i, "upload_id": upload_id, "learner_id": learner + i, "row_number": i + 2,
                        "text": texts[i % len(texts)], "blind": i < blind,
                        "uncertainty": None if i < blind else round(1 - min(max(s) for s in shares.values()), 4),
                        "machine_total": None if i < blind else sum(levels.values()),
                        "alike_group": "alike" if i in alike else None,
                    }
                )  # fmt: skip
                scores += [
                    {
                        "response_id": first + i, "criterion_id": keys[c.id], "student_version_id": student,
                        "level": levels[c.id], "expected": float(levels[c.id]), "probabilities": shares[c.id],
                        "level_set": [levels[c.id]], "job_id": upload_id,
                    }
                    for c in available.task.criteria
                ]  # fmt: skip
            for table, values in ((Learner, learners), (SectionMember, members), (Response, rows)):
                session.execute(insert(table), values)
            session.execute(insert(MachineScore), scores)
    return ScoredClass(upload_id, available.task, sorted(machine), machine)


def _shares(chance: random.Random, levels: int) -> list[float]:
    drawn = [chance.random() + 0.05 for _ in range(levels)]
    return [round(value / sum(drawn), 4) for value in drawn]
