"""Durable work on explanations: the fast highlights are saved first, then the whole; and trials of edited texts.

A row whose response was deleted meanwhile, or that another job has taken over, is left as it is.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any

from dbos import DBOS
from sqlalchemy import delete, select, update

from db.engine import Database
from db.explanation_queries import scoring_version
from db.tables import Explanation as ExplanationRow
from db.tables import Trial, utc_now
from scoring.explain.explanation import Explanation
from scoring.jobs import EXPLAIN_RESPONSE, EXPLAIN_UPLOAD, TRY_TEXT
from scoring.services.explanations import ExplanationStatus
from scoring.worker.explainers import Explainers, told
from scoring.worker.subjects import subject_of
from scoring.worker.turns import Rank
from scoring.worker.workflows import ENDED, RECOVERIES, patiently

logger = logging.getLogger(__name__)
TRIALS_KEPT = timedelta(days=1)
OPEN = (ExplanationStatus.WAITING, ExplanationStatus.FIRST)
INTERRUPTED = "The explanation was interrupted. Ask for it once more."


# The whole takes every core, and would keep the page and the browser on the same machine from showing the first look.
SHOWN_WITHIN_S = 0.3

# Everybody gets a first look at once; sharing the model for the rest would only make all of them wait longer.
_one_after_another = threading.Lock()


class _Tools:
    """What the steps work with; set once, before the engine of jobs is launched."""

    database: Database
    explainers: Explainers


def configure(database: Database, explainers: Explainers) -> None:
    """Give the steps their database and explainers."""
    _Tools.database, _Tools.explainers = database, explainers


@DBOS.workflow(name=EXPLAIN_RESPONSE, max_recovery_attempts=RECOVERIES)
def explain_response(explanation_id: int, job_id: str) -> str:
    """Explain one response for somebody who waits; returns the final status, or `gone`."""
    return _explain(explanation_id, job_id, Rank.QUICK, Rank.FULL, _one_after_another, pause=SHOWN_WITHIN_S)


@DBOS.workflow(name=EXPLAIN_UPLOAD, max_recovery_attempts=RECOVERIES)
def explain_upload(job_id: str) -> int:
    """Explain the responses whose rows carry this job's id, one after the other; returns how many."""
    done = 0
    while (explanation_id := next_of_report(job_id)) is not None:
        _explain(explanation_id, job_id, Rank.BACKGROUND, Rank.BACKGROUND, nullcontext())
        done += 1
    return done


@DBOS.workflow(name=TRY_TEXT, max_recovery_attempts=RECOVERIES)
def try_text(trial_id: str) -> str:
    """Score an edited text and say what its words do; returns the final status, or `gone`."""
    try:
        with _Tools.explainers.turns.at(Rank.QUICK):
            return look_at_trial(trial_id)
    except Exception as error:
        return fail_trial(trial_id, told(error))


def _explain(
    explanation_id: int, job_id: str, first: Rank, whole: Rank, line: AbstractContextManager[object], pause: float = 0.0
) -> str:
    turns = _Tools.explainers.turns
    try:
        with turns.at(first):
            status = look_first(explanation_id, job_id)
        if status != ExplanationStatus.FIRST:
            return status
        # Present at its rank, so that work of lower rank stays away, too.
        with turns.at(whole):
            time.sleep(pause)
            with line:
                return explain_fully(explanation_id, job_id)
    except Exception as error:
        return fail_explanation(explanation_id, job_id, told(error))


@DBOS.step()
@patiently
def look_first(explanation_id: int, job_id: str) -> str:
    """Save what can be shown at once. A job that begins again keeps what it had saved."""
    with _Tools.database.read() as session:
        row = session.get(ExplanationRow, explanation_id)
        if row is None or row.job_id != job_id or row.status not in OPEN:
            return "gone"
        subject = subject_of(session, row.response_id, row.student_version_id)
    look = _Tools.explainers.look(subject)
    return _save(explanation_id, job_id, status=ExplanationStatus.FIRST, first=look.to_json())


@DBOS.step()
@patiently
def explain_fully(explanation_id: int, job_id: str) -> str:
    """Save the tested highlights with all that stands beside them."""
    with _Tools.database.read() as session:
        row = session.get(ExplanationRow, explanation_id)
        if row is None or row.job_id != job_id or row.first is None:
            return "gone"
        subject = subject_of(session, row.response_id, row.student_version_id)
        look = Explanation.from_json(row.first)
    content = _Tools.explainers.content(subject, look)
    # The first look is part of the content, so it need not be kept twice.
    return _save(
        explanation_id, job_id, status=ExplanationStatus.DONE, first=None, content=content, finished_at=utc_now()
    )


@DBOS.step()
@patiently
def look_at_trial(trial_id: str) -> str:
    """Score the text of a trial as its response was scored, and save what came out."""
    with _Tools.database.read() as session:
        trial = session.get(Trial, trial_id)
        version = None if trial is None else scoring_version(session, trial.response_id)
        if trial is None or version is None:
            return "gone"
        subject, text = subject_of(session, trial.response_id, version.id), trial.text
    content = _Tools.explainers.look(subject, text).to_json()
    with _Tools.database.write() as session:
        session.execute(update(Trial).where(Trial.id == trial_id).values(content=content))
    return ExplanationStatus.DONE


@DBOS.step()
@patiently
def next_of_report(job_id: str) -> int | None:
    """The next row that a report's job has to explain; none when it is done, or was stopped."""
    with _Tools.database.read() as session:
        return session.scalar(
            select(ExplanationRow.id)
            .where(ExplanationRow.job_id == job_id, ExplanationRow.status.in_(OPEN))
            .order_by(ExplanationRow.id)
            .limit(1)
        )


@DBOS.step()
@patiently
def fail_explanation(explanation_id: int, job_id: str, error: str) -> str:
    """Record why there is no explanation."""
    return _save(explanation_id, job_id, status=ExplanationStatus.FAILED, error=error, finished_at=utc_now())


@DBOS.step()
@patiently
def fail_trial(trial_id: str, error: str) -> str:
    """Record why a text could not be tried."""
    with _Tools.database.write() as session:
        session.execute(update(Trial).where(Trial.id == trial_id).values(error=error))
    return ExplanationStatus.FAILED


def tidy() -> None:
    """Forget trials whose day is over, and tell of explanations whose job ended without saying so."""
    with _Tools.database.read() as session:
        jobs = set(session.scalars(select(ExplanationRow.job_id).where(ExplanationRow.status.in_(OPEN))))
        stale = session.scalar(select(Trial.id).where(Trial.created_at < utc_now() - TRIALS_KEPT).limit(1))
    for job_id in jobs:
        status = DBOS.get_workflow_status(job_id)
        if status is None or status.status in ENDED:
            logger.error("Explanation: its job %s ended unfinished.", job_id)
            with _Tools.database.write() as session:
                session.execute(
                    update(ExplanationRow)
                    .where(ExplanationRow.job_id == job_id, ExplanationRow.status.in_(OPEN))
                    .values(status=ExplanationStatus.FAILED, error=INTERRUPTED, finished_at=utc_now())
                )
    if stale is not None:
        with _Tools.database.write() as session:
            session.execute(delete(Trial).where(Trial.created_at < utc_now() - TRIALS_KEPT))


def _save(explanation_id: int, job_id: str, **values: Any) -> str:
    """Write to the row if it is still this job's."""
    with _Tools.database.write() as session:
        done = session.execute(
            update(ExplanationRow)
            .where(
                ExplanationRow.id == explanation_id, ExplanationRow.job_id == job_id, ExplanationRow.status.in_(OPEN)
            )
            .values(**values)
        )
    return str(values["status"]) if done.rowcount else "gone"  # type: ignore[attr-defined]
