"""The words that move scores, over a whole class and where people decided otherwise, for administrators."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from db.engine import Database
from db.explanation_queries import disagreeing, explained, explained_count, insert_new, scored_ids
from db.tables import Explanation as ExplanationRow
from db.tables import Response, TaskVersion, Upload, utc_now
from scoring.domain import Criterion, Role
from scoring.errors import Conflict
from scoring.explain.explanation import Explanation
from scoring.explain.task_words import TaskWords, WordEffect, word_effects
from scoring.services.actors import Actor, require
from scoring.services.explanations import REPORT_JOB, SETTINGS, ExplanationStatus
from scoring.services.jobs import Jobs
from scoring.services.tasks import task_of, visible_task
from scoring.services.uploads import require_upload

# What pages need of gathering words, so that they know the services only.
__all__ = ["Disagreement", "ReportState", "TaskWords", "WordEffect", "WordReports"]

MOST_EXPLAINED = 400  # answers of an upload that a report rests on at most; more are drawn at random
MOST_DISAGREEMENTS = 200


@dataclass(frozen=True)
class ReportState:
    """How far the report on an upload's words is."""

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


class WordReports:
    """Reports on words, from the explanations of many answers; administrators only."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    def criteria(self, actor: Actor, upload_id: str) -> tuple[Criterion, ...]:
        """What an upload was scored on."""
        with self._database.read() as session:
            upload = require_upload(session, require(session, actor, Role.ADMINISTRATOR), upload_id)
            return task_of(session.get_one(TaskVersion, upload.task_version_id)).criteria

    def state(self, actor: Actor, upload_id: str) -> ReportState:
        """How many of an upload's answers are explained, and whether more are on their way."""
        with self._database.read() as session:
            upload = _scored_upload(session, actor, upload_id)
            version_id = upload.student_version_id or 0
            done = explained_count(session, version_id, SETTINGS.hash(), upload_id)
            waiting = session.scalar(
                select(func.count()).select_from(ExplanationRow).where(*_in_report(), _of_upload(upload_id))
            )
            wanted = max(done, min(MOST_EXPLAINED, len(scored_ids(session, upload_id, version_id))))
        return ReportState(done, wanted, bool(waiting))

    def words(self, actor: Actor, upload_id: str, criterion_id: str) -> TaskWords:
        """The words that raise and lower one criterion's score over an upload, from the explanations that are there."""
        with self._database.read() as session:
            upload = _scored_upload(session, actor, upload_id)
            pairs = [
                (text, Explanation.from_json(content["explanation"]))
                for text, content in explained(session, upload.student_version_id or 0, SETTINGS.hash(), upload_id)
            ]
        return word_effects(pairs, criterion_id)

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
