"""What the model does over a whole task, for administrators: its experts' use, and the words that move scores."""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from db.engine import Database
from db.explanation_queries import disagreeing, explained, gates_of_task, insert_new, scored_ids
from db.tables import ExpertProfile, Response, TaskRow, TaskVersion, Upload, utc_now
from db.tables import Explanation as ExplanationRow
from scoring.domain import Criterion, Role
from scoring.errors import Conflict
from scoring.explain.explanation import Explanation
from scoring.explain.task_words import TaskWords, WordEffect, word_effects
from scoring.services.actors import Actor, require
from scoring.services.explanation_context import Expert, Layers, read_experts
from scoring.services.explanations import REPORT_JOB, SETTINGS, ExplanationStatus
from scoring.services.jobs import Jobs
from scoring.services.tasks import newest_version, task_of, visible_task
from scoring.services.uploads import require_upload
from scoring.services.versions import active_version

__all__ = ["Disagreement", "ExpertReport", "ModelUse", "TaskUse", "TaskWords", "WordEffect", "WordReport"]

MOST_EXPLAINED = 400  # answers of an upload that a report rests on at most; more are drawn at random
MOST_DISAGREEMENTS = 200
DAYS = 90


@dataclass(frozen=True)
class LevelUse:
    """Mean gate weights of the labelled answers that people gave one level."""

    criterion: str  # its name
    level: int
    answers: int
    weights: Layers


@dataclass(frozen=True)
class TaskUse:
    """How the experts share the labelled answers of one task."""

    title: str
    answers: int
    weights: Layers
    entropy: tuple[float, ...]  # per layer, 0 one expert alone to 1 all alike
    levels: tuple[LevelUse, ...]


@dataclass(frozen=True)
class ExpertReport:
    """What the experts of the active version are used for. Layers and experts count from 0."""

    tasks: Mapping[str, TaskUse]  # by task key
    unused: tuple[tuple[int, int], ...]  # (layer, expert) that no task makes use of
    collapsed: tuple[int, ...]  # layers in which one expert does nearly everything
    experts: tuple[tuple[Expert, ...], ...]


@dataclass(frozen=True)
class DayUse:
    """Mean gate weights of the answers scored on one day."""

    day: date
    answers: int
    weights: Layers


@dataclass(frozen=True)
class WordReport:
    """Words that move the scores of an upload, as far as its answers are explained."""

    words: TaskWords
    explained: int
    wanted: int  # how many answers the report rests on once it is whole
    running: bool  # whether a job is explaining the rest


@dataclass(frozen=True)
class Disagreement:
    """An answer on which a person's level stands that is not the machine's."""

    response_id: int
    upload_id: str
    text: str
    human: int
    machine: int
    explanation: Explanation | None


class ModelUse:
    """Reports on the model; administrators only."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    def experts(self, actor: Actor) -> ExpertReport | None:
        """What the experts of the active version are used for; `None` until the worker has found out."""
        with self._database.read() as session:
            require(session, actor, Role.ADMINISTRATOR)
            version = active_version(session)
            profile = session.get(ExpertProfile, version.id) if version is not None else None
            if profile is None:
                return None
            found = profile.content
            return ExpertReport(
                tasks={key: _task_use(session, key, entry) for key, entry in found["tasks"].items()},
                unused=tuple((layer, expert) for layer, expert in found["unused"]),
                collapsed=tuple(found["collapsed"]),
                experts=read_experts(session, found),
            )

    def over_time(
        self, actor: Actor, task_id: int, criterion_id: str | None = None, level: int | None = None
    ) -> list[DayUse]:
        """How the experts shared the answers of each of the last 90 days, oldest first.

        Args:
            actor: An administrator.
            task_id: Of which task's answers.
            criterion_id: With `level`: only answers that the machine gave that level.
            level: A score point of the criterion.
        """
        with self._database.read() as session:
            visible_task(session, require(session, actor, Role.ADMINISTRATOR), task_id)
            version = active_version(session)
            if version is None:
                return []
            since = utc_now() - timedelta(days=DAYS)
            days: dict[date, list[Sequence[Sequence[float]]]] = defaultdict(list)
            for at, weights in gates_of_task(session, task_id, version.id, since, criterion_id, level):
                days[at.date()].append(weights)
        return [DayUse(day, len(rows), _mean(rows)) for day, rows in sorted(days.items())]

    def criteria(self, actor: Actor, upload_id: str) -> tuple[Criterion, ...]:
        """What an upload was scored on."""
        with self._database.read() as session:
            upload = require_upload(session, require(session, actor, Role.ADMINISTRATOR), upload_id)
            return task_of(session.get_one(TaskVersion, upload.task_version_id)).criteria

    def words(self, actor: Actor, upload_id: str, criterion_id: str) -> WordReport:
        """The words that raise and lower one criterion's score over an upload, from the explanations that are there."""
        with self._database.read() as session:
            upload = _scored_upload(session, actor, upload_id)
            version_id = upload.student_version_id or 0
            pairs = [
                (text, Explanation.from_json(content["explanation"]))
                for text, content in explained(session, version_id, SETTINGS.hash(), upload_id=upload_id)
            ]
            waiting = session.scalar(
                select(func.count()).select_from(ExplanationRow).where(*_in_report(), _of_upload(upload_id))
            )
            wanted = max(len(pairs), min(MOST_EXPLAINED, len(scored_ids(session, upload_id, version_id))))
        return WordReport(word_effects(pairs, criterion_id), len(pairs), wanted, bool(waiting))

    def explain_upload(self, actor: Actor, upload_id: str) -> int:
        """Have an upload's answers explained for the report, as many as it takes; returns how many were asked for."""
        with self._database.write() as session:
            upload = _scored_upload(session, actor, upload_id)
            version_id = upload.student_version_id or 0
            ids = scored_ids(session, upload_id, version_id)
            if len(ids) > MOST_EXPLAINED:
                # The same ones each time, so that the report grows towards one sample.
                ids = random.Random(upload_id).sample(ids, MOST_EXPLAINED)
            return self._ask(session, ((response_id, version_id) for response_id in ids))

    def stop(self, actor: Actor, upload_id: str) -> None:
        """Explain no more of an upload for its report; what is explained is kept."""
        with self._database.write() as session:
            _scored_upload(session, actor, upload_id)
            session.execute(delete(ExplanationRow).where(*_in_report(), _of_upload(upload_id)))

    def disagreements(self, actor: Actor, task_id: int, criterion_id: str) -> list[Disagreement]:
        """Where people decided otherwise than the machine's newest score, the newest decision first."""
        with self._database.read() as session:
            visible_task(session, require(session, actor, Role.ADMINISTRATOR), task_id)
            return [
                Disagreement(
                    found.response_id, found.upload_id, found.text, found.human, found.machine,
                    Explanation.from_json(found.content["explanation"]) if found.content else None,
                )
                for found in disagreeing(session, task_id, criterion_id, SETTINGS.hash(), MOST_DISAGREEMENTS)
            ]  # fmt: skip

    def explain_disagreements(self, actor: Actor, task_id: int, criterion_id: str) -> int:
        """Have these answers explained in the background; returns how many were asked for."""
        with self._database.write() as session:
            visible_task(session, require(session, actor, Role.ADMINISTRATOR), task_id)
            found = disagreeing(session, task_id, criterion_id, SETTINGS.hash(), MOST_DISAGREEMENTS)
            return self._ask(session, ((d.response_id, d.student_version_id) for d in found if not d.content))

    def _ask(self, session: Session, wanted: Iterable[tuple[int, int]]) -> int:
        """Put the explanations that are not there and not on their way into one job."""
        job_id, asked = f"{REPORT_JOB}{uuid.uuid4()}", 0
        for response_id, version_id in wanted:
            values = {"job_id": job_id, "status": ExplanationStatus.WAITING}
            if insert_new(session, response_id, version_id, SETTINGS.hash(), **values):
                asked += 1
                continue
            again = session.execute(
                update(ExplanationRow)
                .where(
                    ExplanationRow.response_id == response_id,
                    ExplanationRow.student_version_id == version_id,
                    ExplanationRow.settings_hash == SETTINGS.hash(),
                    ExplanationRow.status == ExplanationStatus.FAILED,
                )
                .values(**values, error="", created_at=utc_now())
            )
            asked += again.rowcount  # type: ignore[attr-defined]
        if asked:
            self._jobs.enqueue_explanations(session, job_id)
        return asked


def _scored_upload(session: Session, actor: Actor, upload_id: str) -> Upload:
    upload = require_upload(session, require(session, actor, Role.ADMINISTRATOR), upload_id)
    if upload.student_version_id is None:
        raise Conflict("This upload is not scored yet, so there is nothing to explain.")
    return upload


def _in_report() -> tuple[Any, ...]:
    return (
        ExplanationRow.job_id.startswith(REPORT_JOB),
        ExplanationRow.status.in_([ExplanationStatus.WAITING, ExplanationStatus.FIRST]),
    )


def _of_upload(upload_id: str) -> Any:
    return ExplanationRow.response_id.in_(select(Response.id).where(Response.upload_id == upload_id))


def _task_use(session: Session, key: str, entry: Mapping[str, Any]) -> TaskUse:
    row = session.scalar(select(TaskRow).where(TaskRow.key == key))
    title, criteria = key, dict[str, Criterion]()
    if row is not None:
        task = task_of(newest_version(session, row))
        title, criteria = task.title, {criterion.id: criterion for criterion in task.criteria}
    return TaskUse(
        title=title,
        answers=entry["answers"],
        weights=_layers(entry["weights"]),
        entropy=tuple(entry["entropy"]),
        levels=tuple(
            LevelUse(criteria[of["criterion_id"]].name, of["level"], of["answers"], _layers(of["weights"]))
            for of in entry["levels"]
            if of["criterion_id"] in criteria
        ),
    )


def _layers(values: Iterable[Iterable[float]]) -> Layers:
    return tuple(tuple(row) for row in values)


def _mean(rows: Sequence[Sequence[Sequence[float]]]) -> Layers:
    """(N, layers, E) -> (layers, E)."""
    return tuple(tuple(sum(of) / len(rows) for of in zip(*layer, strict=True)) for layer in zip(*rows, strict=True))
