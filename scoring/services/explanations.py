"""Why this score? A stored explanation, or the request for one; and what an edited text would get."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.engine import Database
from db.explanation_queries import insert_new, scoring_version, stored_explanation
from db.queries import hidden, is_hidden
from db.tables import Explanation as ExplanationRow
from db.tables import Response, StudentVersion, Trial, utc_now
from scoring.errors import Conflict, InvalidInput, NotFound
from scoring.explain.explanation import CriterionExplanation, ExplainSettings, Explanation
from scoring.services.actors import Actor, require
from scoring.services.explanation_context import Context, read_context
from scoring.services.jobs import Jobs
from scoring.services.uploads import require_upload
from scoring.services.versions import ACTIVE

# What pages need of an explanation's form, so that they know the services only.
__all__ = [
    "CriterionExplanation", "Explanation", "ExplanationStatus", "ExplanationView", "Explanations", "Pending",
    "TrialView",
]  # fmt: skip

LONGEST_TRIAL = 20_000  # characters
SETTINGS = ExplainSettings()
REPORT_JOB = "report-"
"""What ids of jobs begin with that explain a whole upload, which nobody waits for."""


class ExplanationStatus(StrEnum):
    """Where an explanation stands. `FIRST`: its fast highlights are there, the tested ones are on their way."""

    WAITING = "waiting"
    FIRST = "first"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class ExplanationView:
    """A whole explanation."""

    response_id: int
    explanation: Explanation
    context: Context
    version_active: bool  # whether the version that it is about still scores
    coverage: float | None  # share of answers whose human level the version's level sets are to hold, 0 to 1


@dataclass(frozen=True)
class Pending:
    """An explanation that is not there yet, or could not be made: then `error` says why."""

    response_id: int
    first: Explanation | None
    error: str
    since: datetime

    @property
    def failed(self) -> bool:
        """Whether nothing more will come unless somebody asks again."""
        return bool(self.error)

    @property
    def seconds(self) -> float:
        """How long ago somebody asked."""
        return (utc_now() - self.since).total_seconds()


@dataclass(frozen=True)
class TrialView:
    """An edited text, and what the student says about it once it has looked."""

    id: str
    text: str
    explanation: Explanation | None
    error: str

    @property
    def pending(self) -> bool:
        """Whether the answer is still to come."""
        return self.explanation is None and not self.error


class Explanations:
    """Explanations of single responses, and trials of edited ones. The worker makes both."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    def of(self, actor: Actor, response_id: int) -> ExplanationView | Pending:
        """The explanation of the response's newest machine score; asks for it where there is none.

        Asking again while it is made, or made for another purpose, makes no second one.

        Raises:
            Conflict: the response is to be scored without the machine's help first.
            InvalidInput: the machine gave no score, so there is nothing to explain.
        """
        with self._database.read() as session:
            _, version = _explainable(session, actor, response_id)
            row = stored_explanation(session, response_id, version.id, SETTINGS.hash())
            if row is not None and not _nobody_waits(row):
                return _view(session, row, version)
        return self._request(actor, response_id, anew=False)

    def again(self, actor: Actor, response_id: int) -> ExplanationView | Pending:
        """Ask once more for an explanation that could not be made. Raises as `of` does."""
        return self._request(actor, response_id, anew=True)

    def try_text(self, actor: Actor, response_id: int, text: str) -> str:
        """Have an edited text scored like the response. It is kept for a day and never becomes a score.

        Returns:
            The trial's id; the same one for a text that the actor tried before.

        Raises:
            Conflict: as `of` does, or it is the text of another answer that is to be scored without the machine.
            InvalidInput: as `of` does, or the text is too long.
        """
        if len(text) > LONGEST_TRIAL:
            raise InvalidInput(f"The text has {len(text):,} characters; at most {LONGEST_TRIAL:,} can be tried.")
        # No database keeps a NUL in a text, and no student reads it.
        text = text.replace("\x00", "")
        with self._database.write() as session:
            response, version = _explainable(session, actor, response_id)
            hidden_twin = select(Response.id).where(
                Response.upload_id == response.upload_id, Response.text == text, hidden()
            )
            if session.scalar(hidden_twin.limit(1)) is not None:
                raise Conflict(
                    "This is the text of an answer that was drawn to be scored without the model's help. "
                    "Decide on that one first."
                )
            before = session.scalars(
                select(Trial)
                .where(Trial.response_id == response_id, Trial.user_id == actor.user_id)
                .order_by(Trial.created_at.desc())
            )
            for trial in before:
                if trial.text == text and not trial.error and _by(trial, version):
                    return trial.id
            trial = Trial(id=str(uuid.uuid4()), response_id=response_id, user_id=actor.user_id, text=text, content=None)
            session.add(trial)
            session.flush()
            self._jobs.enqueue_trial(session, trial.id)
            return trial.id

    def trial(self, actor: Actor, trial_id: str) -> TrialView:
        """One of the actor's own trials. Raises `NotFound` for others, and for one whose day is over."""
        with self._database.read() as session:
            user = require(session, actor)
            row = session.get(Trial, trial_id)
            if row is None or row.user_id != user.id:
                raise NotFound("This try is not kept any more. Try the text again.")
            _explainable(session, actor, row.response_id)
            made = Explanation.from_json(row.content) if row.content else None
            return TrialView(row.id, row.text, made, row.error)

    def _request(self, actor: Actor, response_id: int, *, anew: bool) -> ExplanationView | Pending:
        with self._database.write() as session:
            _, version = _explainable(session, actor, response_id)
            job_id = f"explain-{uuid.uuid4()}"
            created = insert_new(
                session, response_id, version.id, SETTINGS.hash(), job_id=job_id, status=ExplanationStatus.WAITING
            )
            row = stored_explanation(session, response_id, version.id, SETTINGS.hash())
            assert row is not None
            taken_over = not created and (_nobody_waits(row) or (anew and row.status == ExplanationStatus.FAILED))
            if taken_over:
                session.execute(
                    update(ExplanationRow)
                    .where(ExplanationRow.id == row.id)
                    .values(job_id=job_id, status=ExplanationStatus.WAITING, error="", created_at=utc_now())
                )
                session.refresh(row)
            if created or taken_over:
                self._jobs.enqueue_explanation(session, row.id, job_id)
            return _view(session, row, version)


def _explainable(session: Session, actor: Actor, response_id: int) -> tuple[Response, StudentVersion]:
    """The response and the version of its newest score, if the actor may see both."""
    user = require(session, actor)
    response = session.get(Response, response_id)
    try:
        if response is None:
            raise NotFound
        require_upload(session, user, response.upload_id)
    except NotFound:
        raise NotFound("There is no such response among yours.") from None
    if is_hidden(session, response_id):
        raise Conflict(
            "This answer was drawn to be scored without the model's help. Decide on it first; "
            "then you can see what the model made of it."
        )
    version = scoring_version(session, response_id)
    if version is None:
        raise InvalidInput("The model gave no score here, so there is nothing to explain.")
    return response, version


def _nobody_waits(row: ExplanationRow) -> bool:
    """Whether the row only stands in a long list of work, where a person who asks must not wait for it."""
    return row.status == ExplanationStatus.WAITING and row.job_id.startswith(REPORT_JOB)


def _by(trial: Trial, version: StudentVersion) -> bool:
    return trial.content is None or trial.content.get("version_id") == version.version_key


def _view(session: Session, row: ExplanationRow, version: StudentVersion) -> ExplanationView | Pending:
    if row.status == ExplanationStatus.DONE and row.content is not None:
        made = Explanation.from_json(row.content["explanation"])
        context = read_context(session, row.content, row.response_id, version.id, made.task_id)
        return ExplanationView(row.response_id, made, context, version.state == ACTIVE, _coverage(version.folder))
    first = Explanation.from_json(row.first) if row.first else None
    error = row.error if row.status == ExplanationStatus.FAILED else ""
    return Pending(row.response_id, first, error, row.created_at)


@lru_cache(maxsize=8)
def _coverage(folder: str) -> float | None:
    """The coverage that a version's level sets were made for; its folder never changes."""
    try:
        manifest = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
        return float(manifest["calibration"]["coverage"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
