"""What stands beside an explanation: scored answers that the student sees alike, and what its experts are used for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.adaptation_queries import labelled
from db.engine import Database
from db.explanation_queries import human_levels
from db.tables import ExpertProfile, LabelledExample, Response, StudentVersion, TaskRow, TaskVersion, Upload
from scoring.explain.experts import describe_experts
from scoring.explain.gates import profile_of
from scoring.explain.neighbours import KnownAnswer, Neighbour, Neighbourhood
from scoring.inference.engine import Engine
from scoring.services.explanation_context import EXAMPLE, RESPONSE
from scoring.services.tasks import newest_version, task_of
from scoring.services.versions import active_version
from scoring.worker.subjects import Subject

SHOWN = 4  # answers of each kind beside an explanation
EXAMPLES = 300  # labelled answers of a task that are compared with, spread evenly over it
OF_CLASS = 200  # newest answers of the same section that people have scored
HELD_TASKS = 32


@dataclass
class _Seen:
    """What one student version computed from answers to one task version, by answer."""

    vectors: dict[str, np.ndarray] = field(default_factory=dict)
    gates: dict[str, np.ndarray] = field(default_factory=dict)


class Surroundings:
    """Answers are read by the student once and held; several threads may ask at once.

    No lock is held while the model works: two threads may read the same answer, but never wait for
    each other in a circle.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._seen: OrderedDict[tuple[int, int], _Seen] = OrderedDict()

    def of(self, engine: Engine, subject: Subject) -> dict[str, Any]:
        """Neighbours and answers routed alike, as `read_context` reads them: by reference, without texts."""
        task_version_id, text = subject.task_version_id, subject.text
        with self._database.read() as session:
            answers = _examples(session, task_version_id) + _of_class(session, subject.response_id, task_version_id)
        if not answers:
            return {"neighbours": [], "alike": []}
        known = self._read(engine, (subject.student_version_id, task_version_id), subject.task_key, answers)
        reading, own = engine.read(subject.task_key, [text]), _name(RESPONSE, subject.response_id)
        return {
            "neighbours": [_stored(found) for found in known.nearest(reading, text, SHOWN, without=own)],
            "alike": [_reference(found.id) for found in known.routed_alike(reading, text, SHOWN, without=own)],
        }

    def profile(self, engine: Engine, student_version_id: int) -> dict[str, Any]:
        """What the experts of a version are used for, over the published tasks that it scores."""
        bank: dict[str, Neighbourhood] = {}
        with self._database.read() as session:
            version = session.get_one(StudentVersion, student_version_id)
            tasks = _published(session, version)
            examples = {key: _examples(session, task_version_id) for key, task_version_id in tasks.items()}
        for key, answers in examples.items():
            if answers and engine.asks_experts(key):
                bank[key] = self._read(engine, (student_version_id, tasks[key]), key, answers)
        profile = profile_of(bank)
        return {
            "tasks": {key: asdict(gates) for key, gates in profile.tasks.items()},
            "others": {key: profile.others(key) for key in profile.tasks},
            "unused": profile.unused,
            "collapsed": profile.collapsed,
            "experts": [
                {**asdict(expert), "answers": [_reference(answer.id) for answer in expert.answers]}
                for expert in describe_experts(bank, engine.tasks)
            ],
        }

    def _read(
        self, engine: Engine, key: tuple[int, int], task_key: str, answers: Sequence[KnownAnswer]
    ) -> Neighbourhood:
        with self._lock:
            seen = self._seen.setdefault(key, _Seen())
            self._seen.move_to_end(key)
            while len(self._seen) > HELD_TASKS:
                self._seen.popitem(last=False)
            new = [answer for answer in answers if answer.id not in seen.vectors]
        if new:
            reading = engine.read(task_key, [answer.text for answer in new])
            with self._lock:
                for row, answer in enumerate(new):
                    seen.gates[answer.id] = reading.gate_weights[row].astype(np.float32)
                    seen.vectors[answer.id] = reading.vectors[row].astype(np.float32)
        with self._lock:
            vectors, gates = (np.stack([part[a.id] for a in answers]) for part in (seen.vectors, seen.gates))
        return Neighbourhood(answers, vectors, gates)


def stale_profile(session: Session) -> int | None:
    """The active version, if what its experts are used for was never found out, or over another bank."""
    version = active_version(session)
    if version is None:
        return None
    profile = session.get(ExpertProfile, version.id)
    return None if profile is not None and profile.examples == bank_size(session) else version.id


def bank_size(session: Session) -> int:
    """How many labelled answers there are to published tasks."""
    query = (
        select(func.count())
        .select_from(LabelledExample)
        .join(TaskVersion, TaskVersion.id == LabelledExample.task_version_id)
        .join(TaskRow, TaskRow.id == TaskVersion.task_id)
        .where(TaskRow.owner_id.is_(None), labelled())
    )
    return session.scalar(query) or 0


def _published(session: Session, version: StudentVersion) -> dict[str, int]:
    """Task key -> newest version's id, of published tasks in the form that a student version scores."""
    found = {}
    for row in session.scalars(select(TaskRow).where(TaskRow.owner_id.is_(None), TaskRow.retired_at.is_(None))):
        newest = newest_version(session, row)
        if version.shapes.get(row.key) == task_of(newest).scoring_shape():
            found[row.key] = newest.id
    return found


def _examples(session: Session, task_version_id: int) -> list[KnownAnswer]:
    ids = session.scalars(
        select(LabelledExample.id)
        .where(LabelledExample.task_version_id == task_version_id, labelled())
        .order_by(LabelledExample.id)
    ).all()
    chosen = ids[:: max(1, -(-len(ids) // EXAMPLES))]
    rows = session.scalars(select(LabelledExample).where(LabelledExample.id.in_(chosen)).order_by(LabelledExample.id))
    return [KnownAnswer(_name(EXAMPLE, row.id), row.text, dict(row.levels)) for row in rows]


def _of_class(session: Session, response_id: int, task_version_id: int) -> list[KnownAnswer]:
    """The newest answers of the response's section to the same task that people have decided on."""
    section = (
        select(Upload.section_id).join(Response, Response.upload_id == Upload.id).where(Response.id == response_id)
    )
    rows = session.execute(
        select(Response.id, Response.text)
        .join(Upload, Upload.id == Response.upload_id)
        .where(
            Upload.section_id == section.scalar_subquery(),
            Upload.task_version_id == task_version_id,
            Response.reviewed.is_(True),
        )
        .order_by(Response.id.desc())
        .limit(OF_CLASS)
    ).all()
    levels = human_levels(session, [row.id for row in rows])
    return [KnownAnswer(_name(RESPONSE, row.id), row.text, levels[row.id]) for row in rows if row.id in levels]


def _name(kind: str, number: int) -> str:
    return f"{kind}:{number}"


def _reference(name: str) -> list[Any]:
    kind, number = name.split(":")
    return [kind, int(number)]


def _stored(found: Neighbour) -> dict[str, Any]:
    return {
        "answer": _reference(found.id),
        "similarity": found.similarity,
        "ours": [difference.ours for difference in found.differences],
        "theirs": [difference.theirs for difference in found.differences],
    }
