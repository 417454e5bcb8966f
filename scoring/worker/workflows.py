"""The durable work. A workflow is a loop over steps; a step is short, idempotent, and looks for the cancel.

Killed at any moment, a workflow resumes after its last finished step. A step that was cut off runs again:
what it had not committed is gone, what it had committed it finds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from dbos import DBOS
from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from db.engine import Database
from db.queries import criterion_ids, next_unscored, unscored_count
from db.tables import (
    Base,
    MachineScore,
    Response,
    ResponseFlag,
    ResponseGates,
    TaskRow,
    TaskVersion,
    Upload,
    utc_now,
)
from scoring.domain import UploadStatus
from scoring.errors import ModelUnavailable, StorageFull
from scoring.inference.engine import ResponseScore
from scoring.jobs import SCORE_UPLOAD
from scoring.services.review_state import refresh
from scoring.services.tasks import task_of
from scoring.services.versions import active_version
from scoring.worker.checking import check_answers, raise_meant, raise_urgent
from scoring.worker.meanings import Meanings
from scoring.worker.students import Students
from scoring.worker.turns import Rank

logger = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")
DISK_FULL_PAUSE_S = 5.0
ENDED = {"SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"}
READ_IN_PART = "read_in_part"
RECOVERIES = 1_000_000  # a job is given up by people, never by a count of crashes


class _Tools:
    """What the steps work with; set once, before the engine of jobs is launched."""

    database: Database
    students: Students
    chunk_size: int
    meanings: Meanings | None


def configure(database: Database, students: Students, chunk_size: int, meanings: Meanings | None = None) -> None:
    """Give the steps their database, their students, and the encoder of the checks."""
    _Tools.database, _Tools.students, _Tools.chunk_size = database, students, chunk_size
    _Tools.meanings = meanings


@DBOS.workflow(name=SCORE_UPLOAD, max_recovery_attempts=RECOVERIES)
def score_upload(upload_id: str, job_id: str, again: bool) -> str:
    """Check an upload's responses, score those that are neither blank nor scored; returns the final status."""
    with _Tools.students.turns.at(Rank.BULK):
        return _score_upload(upload_id, job_id, again)


def _score_upload(upload_id: str, job_id: str, again: bool) -> str:
    try:
        look_for_urgent_signs(upload_id)
        try:
            return _check_and_score(upload_id, job_id, again)
        finally:
            # However scoring ended. After it, because it reads every sentence: of a large upload, for minutes.
            looked_at: int | None = 0
            while looked_at is not None:
                looked_at = look_for_meant_signs(upload_id, looked_at)
    except ModelUnavailable as error:
        # The message names folders, which are for administrators.
        logger.error("Upload %s: %s", upload_id, error)
        message = "The scoring model can't be loaded. An administrator sees why under Health."
        return finish_scoring(upload_id, job_id, UploadStatus.FAILED, message)
    except Exception as error:
        # The boundary of the worker: the educator is told, the log has the trace.
        logger.exception("Upload %s failed.", upload_id)
        return finish_scoring(
            upload_id,
            job_id,
            UploadStatus.FAILED,
            f"Something went wrong in scoring ({type(error).__name__}).",
        )


def _check_and_score(upload_id: str, job_id: str, again: bool) -> str:
    begun = begin_scoring(upload_id, job_id, again)
    if begun["status"] != UploadStatus.RUNNING:
        return str(begun["status"])
    check_texts(upload_id, job_id, begun["student_version_id"], again)
    after = 0
    while True:
        chunk = score_chunk(upload_id, job_id, begun["student_version_id"], again, after)
        if chunk["status"] != UploadStatus.RUNNING:
            return str(chunk["status"])
        if chunk["after"] is None:
            return finish_scoring(upload_id, job_id, UploadStatus.DONE, "")
        after = chunk["after"]


def patiently(step: Callable[P, R]) -> Callable[P, R]:
    """Try a step again while the disk is full: that passes, and the work before it must not be lost to it."""

    @wraps(step)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        while True:
            try:
                return step(*args, **kwargs)
            except StorageFull as error:
                logger.error("%s Trying again in %.0f s.", error, DISK_FULL_PAUSE_S)
                time.sleep(DISK_FULL_PAUSE_S)

    return run


def close_abandoned() -> None:
    """Tell the educator of uploads whose job ended without saying so, as after an error of the job engine itself."""
    with _Tools.database.read() as session:
        waiting = session.execute(
            select(Upload.id, Upload.job_id).where(Upload.status.in_([UploadStatus.QUEUED, UploadStatus.RUNNING]))
        ).all()
    for upload_id, job_id in waiting:
        status = DBOS.get_workflow_status(job_id)
        if status is None or status.status in ENDED:
            logger.error("Upload %s: its job %s ended unfinished.", upload_id, job_id)
            _finish(upload_id, job_id, UploadStatus.FAILED, "Scoring was interrupted. Press “Score the rest”.")


class _Replaced(Exception):
    """The job may not write any more."""


@DBOS.step()
@patiently
def look_for_urgent_signs(upload_id: str) -> None:
    """Raise alerts before anything else, so that neither a cancel nor a missing model keeps them from people."""
    raise_urgent(_Tools.database, upload_id)


@DBOS.step()
@patiently
def look_for_meant_signs(upload_id: str, after: int) -> int | None:
    """Raise alerts for what reads like a sign without its words; returns where to go on."""
    return None if _Tools.meanings is None else raise_meant(_Tools.database, _Tools.meanings, upload_id, after)


@DBOS.step()
@patiently
def check_texts(upload_id: str, job_id: str, student_version_id: int, again: bool) -> None:
    """Run the response checks and find the answers that say the same; what is found to be blank is not scored."""

    def still_wanted() -> None:
        with _Tools.database.read() as session:
            if _fenced(session, upload_id, job_id) is None:
                raise _Replaced

    try:
        check_answers(_Tools.database, upload_id, still_wanted, _Tools.meanings)
    except _Replaced:
        return
    with _Tools.database.write() as session:
        upload = _fenced(session, upload_id, job_id)
        if upload is not None:
            upload.total = upload.scored + unscored_count(session, upload_id, None if again else student_version_id)


@DBOS.step()
@patiently
def begin_scoring(upload_id: str, job_id: str, again: bool) -> dict[str, Any]:
    """Mark the upload as running, and settle which student scores it."""
    with _Tools.database.write() as session:
        upload = _fenced(session, upload_id, job_id)
        if upload is None:
            return {"status": UploadStatus.CANCELLED}
        version = active_version(session)
        if version is None:
            return {"status": _close(upload, UploadStatus.FAILED, "There is no active scoring model.")}
        task_version = session.get(TaskVersion, upload.task_version_id)
        assert task_version is not None
        task = task_of(task_version)
        if version.shapes.get(task.id) != task.scoring_shape():
            message = f"The active scoring model does not know “{task.title}” in this form. Ask an administrator."
            return {"status": _close(upload, UploadStatus.FAILED, message)}
        upload.status, upload.student_version_id = UploadStatus.RUNNING, version.id
        upload.started_at = upload.started_at or utc_now()
        upload.total = upload.scored + unscored_count(session, upload_id, None if again else version.id)
        return {"status": UploadStatus.RUNNING, "student_version_id": version.id}


@DBOS.step()
@patiently
def score_chunk(upload_id: str, job_id: str, student_version_id: int, again: bool, after: int) -> dict[str, Any]:
    """Score the next few responses and save them together with the progress.

    Returns:
        `status`, and `after`: the last response id looked at, or `None` when none was left.
    """
    with _Tools.database.read() as session:
        upload = _fenced(session, upload_id, job_id)
        if upload is None:
            return {"status": UploadStatus.CANCELLED, "after": None}
        rows = next_unscored(
            session, upload_id, student_version_id, job_id, again=again, after=after, limit=_Tools.chunk_size
        )
        version = session.get(TaskVersion, upload.task_version_id)
        assert version is not None
        task = session.get(TaskRow, version.task_id)
        assert task is not None
        criteria, task_key = criterion_ids(session, version.id), task.key
    if not rows:
        return {"status": UploadStatus.RUNNING, "after": None}
    # No transaction is open while the model works.
    engine = _Tools.students.get(_Tools.database, student_version_id)
    scores = engine.score(task_key, [text for _, text in rows])
    given = {response_id: score for (response_id, _), score in zip(rows, scores, strict=True)}
    with _Tools.database.write() as session:
        if _fenced(session, upload_id, job_id) is None:
            return {"status": UploadStatus.CANCELLED, "after": None}
        there = set(session.scalars(select(Response.id).where(Response.id.in_(list(given)))))
        # Erased while the model worked: there is nothing to put a score on.
        given = {response_id: score for response_id, score in given.items() if response_id in there}
        _save(session, given, criteria, student_version_id, job_id)
        _flag(session, [response_id for response_id, score in given.items() if score.truncated])
        refresh(session, given, alike=False)
        session.execute(update(Upload).where(Upload.id == upload_id).values(scored=Upload.scored + len(given)))
    return {"status": UploadStatus.RUNNING, "after": rows[-1][0]}


@DBOS.step()
@patiently
def finish_scoring(upload_id: str, job_id: str, status: str, error: str) -> str:
    """Record how the job ended, unless it was cancelled or replaced meanwhile."""
    return _finish(upload_id, job_id, status, error)


def _finish(upload_id: str, job_id: str, status: str, error: str) -> str:
    with _Tools.database.write() as session:
        upload = _fenced(session, upload_id, job_id)
        return UploadStatus.CANCELLED if upload is None else _close(upload, UploadStatus(status), error)


def _fenced(session: Session, upload_id: str, job_id: str) -> Upload | None:
    """The upload, if this job may still write to it: not cancelled, deleted, finished, or taken by another job."""
    upload = session.get(Upload, upload_id)
    if upload is None or upload.job_id != job_id or upload.status not in (UploadStatus.QUEUED, UploadStatus.RUNNING):
        return None
    return upload


def _close(upload: Upload, status: UploadStatus, error: str) -> str:
    upload.status, upload.error, upload.finished_at = status, error, utc_now()
    return status


def _save(
    session: Session,
    scores: Mapping[int, ResponseScore],
    criteria: Mapping[str, int],
    student_version_id: int,
    job_id: str,
) -> None:
    """Put scores in place of those that this version gave before, so that a step run twice leaves one.

    They get new ids: the newest score of a response is the one with the highest.
    """
    for table in (MachineScore, ResponseGates):
        session.execute(
            delete(table).where(table.response_id.in_(list(scores)), table.student_version_id == student_version_id)
        )
    session.add_all(
        MachineScore(
            response_id=response_id,
            criterion_id=criteria[score.criterion_id],
            student_version_id=student_version_id,
            level=score.level,
            expected=score.expected,
            probabilities=list(score.probabilities),
            level_set=list(score.level_set) or None,
            job_id=job_id,
        )
        for response_id, response in scores.items()
        for score in response.criteria
    )
    session.add_all(
        ResponseGates(
            response_id=response_id,
            student_version_id=student_version_id,
            weights=[list(layer) for layer in response.gate_weights],
        )
        for response_id, response in scores.items()
    )
    session.flush()


def _flag(session: Session, response_ids: list[int]) -> None:
    """Mark responses of which the model read only the beginning."""
    if response_ids:
        insert = _insert_into(session, ResponseFlag)
        session.execute(
            insert.on_conflict_do_nothing(index_elements=["response_id", "kind"]),
            [{"response_id": response_id, "kind": READ_IN_PART, "detail": ""} for response_id in response_ids],
        )


def _insert_into(session: Session, table: type[Base]) -> Any:
    dialect = session.get_bind().dialect.name
    return (postgresql if dialect == "postgresql" else sqlite).insert(table)
