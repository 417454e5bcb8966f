"""The trainings that this worker holds in memory, and their folders on disk.

A training is a generator. After a kill it is made anew and told what was finished; the tensors of
that, and the examples as they were at the start, lie in the run's folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from db.adaptation_queries import examples_of_version
from db.engine import Database
from db.tables import Adaptation, StudentVersion, TaskVersion
from scoring.errors import StorageFull
from scoring.intake.levels import without_contradictions
from scoring.itembank import LabelledResponse
from scoring.services.runs import OPEN
from scoring.services.tasks import task_of
from scoring.services.versions import is_no_space, read_manifest
from scoring.training.adaptation import AdaptConfig, Event
from scoring.worker.turns import Turns

DISK_FULL = "The disk is full, so the new version could not be saved. Free some space, then start again."


@dataclass(frozen=True)
class Tools:
    """What the steps of a training work with."""

    database: Database
    turns: Turns
    data_dir: Path
    encoder: str
    device: str
    trainer: Callable[..., Iterator[Event]]


@dataclass
class Training:
    """A training in memory, and what it finished that is not saved yet."""

    events: Iterator[Event]
    parts: dict[str, Any] = field(default_factory=dict)
    last: Event | None = None
    over: bool = False


class Trainings:
    """Trainings by run id. One at a time runs, so there is no lock."""

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self.full: dict[str, int] = {}  # run id -> how often the disk was found full
        self._held: dict[str, Training] = {}

    def folder(self, run_id: str) -> Path:
        """Where a run keeps what outlasts this process."""
        return self.tools.data_dir / "adaptations" / run_id

    def version_folder(self, run_id: str) -> Path:
        """Where a run writes its version."""
        return self.folder(run_id) / "version"

    def held(self) -> set[str]:
        """The runs in memory."""
        return set(self._held)

    def get(self, run_id: str, job_id: str) -> Training | None:
        """A run's training, going on from what was finished; `None` when the run is wanted no more."""
        return self._held.get(run_id) or self._start(run_id, job_id)

    def forget(self, run_id: str) -> None:
        """Take a training that broke out of memory; the next `get` goes on from what was saved."""
        self._held.pop(run_id, None)

    def drop(self, run_id: str) -> None:
        """End a training."""
        training = self._held.pop(run_id, None)
        if training is not None:
            training.events.close()  # type: ignore[attr-defined]
        self.full.pop(run_id, None)

    def examples(self, run_id: str, job_id: str) -> list[LabelledResponse] | None:
        """A run's examples as they were when it began; `None` when the run is wanted no more.

        Where they are not on disk, they are put there as they are now, and what was finished with others is forgotten.

        Raises:
            StorageFull: the disk is full.
        """
        path = self.folder(run_id) / "examples.json"
        if not path.exists():
            with self.tools.database.read() as session:
                run = fenced(session, run_id, job_id)
                if run is None:
                    return None
                rows = _stored(session, run)
            with self.tools.database.write() as session:
                run = fenced(session, run_id, job_id)
                if run is None:
                    return None
                run.parts = {}
            with saving():
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                part = path.with_suffix(".part")
                part.write_text(json.dumps([asdict(row) for row in rows]), encoding="utf-8")
                part.replace(path)
        return [LabelledResponse(**row) for row in json.loads(path.read_text(encoding="utf-8"))]

    def _start(self, run_id: str, job_id: str) -> Training | None:
        rows = self.examples(run_id, job_id)
        with self.tools.database.read() as session:
            run = fenced(session, run_id, job_id)
            if run is None or rows is None:
                return None
            base = folder_of(session, run.base_student_version_id)
            task = task_of(session.get_one(TaskVersion, run.task_version_id))
            parts, quick = dict(run.parts), run.quick
        read_manifest(base)
        labelled: Sequence[LabelledResponse] = [row for row in rows if row.levels]
        events = self.tools.trainer(
            base, task, labelled, self.version_folder(run_id),
            unlabelled=[row for row in rows if not row.levels], config=AdaptConfig(quick=quick), finished=parts,
            workspace=self.folder(run_id) / "parts", encoder=self.tools.encoder, device=self.tools.device,
        )  # fmt: skip
        self._held[run_id] = Training(events)
        return self._held[run_id]


def fenced(session: Session, run_id: str, job_id: str) -> Adaptation | None:
    """The run, if this job may still write to it."""
    run = session.get(Adaptation, run_id)
    return run if run is not None and run.job_id == job_id and run.status in OPEN else None


def folder_of(session: Session, version_id: int) -> Path:
    """Where a registered version lies."""
    return Path(session.get_one(StudentVersion, version_id).folder)


@contextmanager
def saving() -> Iterator[None]:
    """Say a full disk in this program's own words, so that the step waits for space."""
    try:
        yield
    except OSError as error:
        if is_no_space(error):
            raise StorageFull(DISK_FULL) from error
        raise


def _stored(session: Session, run: Adaptation) -> list[LabelledResponse]:
    version = session.get_one(TaskVersion, run.task_version_id)
    key = task_of(version).id
    rows = [
        LabelledResponse(key, row.response_key, row.text, dict(row.levels), dict(row.second))
        for row in examples_of_version(session, version.id)
    ]
    return without_contradictions(rows)
