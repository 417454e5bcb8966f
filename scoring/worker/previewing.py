"""Durable previews: every answer of the house scored by a candidate and by the active version, side by side.

Both get the same batches and compute in fp32, so that answers to tasks that the candidate must not move
come out the same to the last bit, or the preview says that they don't.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from dbos import DBOS
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.adaptation_queries import answer_count, answers_after
from db.engine import Database
from db.queries import criterion_ids
from db.tables import Preview, PreviewChange, Response, StudentVersion, TaskRow, TaskVersion, utc_now
from scoring.errors import EvenhandError, ModelUnavailable
from scoring.inference.engine import Engine, ResponseScore
from scoring.jobs import PREVIEW
from scoring.services.runs import OPEN, RunStatus
from scoring.services.tasks import task_of
from scoring.services.versions import read_manifest
from scoring.worker.turns import Rank, Turns
from scoring.worker.workflows import ENDED, RECOVERIES, patiently

logger = logging.getLogger(__name__)
STEP_S = 3.0
CHUNK = 64  # answers scored between two looks at the clock
INTERRUPTED = "The preview was interrupted. Start it once more."


class Scorer(Protocol):
    """What of an engine a preview needs."""

    def score(self, task_id: str, texts: Sequence[str]) -> list[ResponseScore]:
        """Score texts to a task."""


Load = Callable[[Path], Scorer]


class _Tools:
    """What the steps work with; set once, before the engine of jobs is launched."""

    database: Database
    turns: Turns
    load: Load


@dataclass
class _Pair:
    """The two versions of a preview in memory, and the forms of task versions seen so far."""

    active: Scorer
    candidate: Scorer
    known: Mapping[str, Any]  # what the active version scores
    offered: Mapping[str, Any]  # what the candidate does
    added: str | None  # the key of the task that the candidate adds; None: every task may move
    shapes: dict[int, Any] = field(default_factory=dict)


@dataclass
class _Found:
    """What a few answers came to."""

    others: int = 0
    moved: int = 0
    changes: list[dict[str, Any]] = field(default_factory=list)


_pairs: dict[str, _Pair] = {}


def configure(database: Database, turns: Turns, *, encoder: str, device: str, load: Load | None = None) -> None:
    """Give the steps their database and a way to load versions.

    Args:
        database: Of the house.
        turns: Of this worker.
        encoder: As in the settings.
        device: As in the settings.
        load: What loads a version folder; another one only where a test is not about the model.
    """
    _Tools.database, _Tools.turns = database, turns
    _Tools.load = staticmethod(
        load or (lambda folder: Engine.load(folder, encoder=encoder, device=device, precision="fp32"))
    )
    _pairs.clear()


@DBOS.workflow(name=PREVIEW, max_recovery_attempts=RECOVERIES)
def preview(preview_id: str, job_id: str) -> str:
    """Compare two versions over the whole house; returns the final status."""
    try:
        with _Tools.turns.at(Rank.BULK):
            status = begin_preview(preview_id, job_id)
            while status == RunStatus.RUNNING:
                status = compare_some(preview_id, job_id)
            return status
    except ModelUnavailable as error:
        # The message names folders, which are for administrators.
        logger.error("Preview %s: %s", preview_id, error)
        message = "One of the two versions can't be loaded. An administrator sees why under Health."
        return end_preview(preview_id, job_id, RunStatus.FAILED, message)
    except EvenhandError as error:
        return end_preview(preview_id, job_id, RunStatus.FAILED, str(error))
    except Exception as error:
        # The boundary of the worker: the person is told, the log has the trace.
        logger.exception("Preview %s failed.", preview_id)
        message = f"Something went wrong in the preview ({type(error).__name__})."
        return end_preview(preview_id, job_id, RunStatus.FAILED, message)
    finally:
        _pairs.pop(preview_id, None)


@DBOS.step()
@patiently
def begin_preview(preview_id: str, job_id: str) -> str:
    """Mark the preview as running, and count what it has to look at."""
    with _Tools.database.write() as session:
        row = _fenced(session, preview_id, job_id)
        if row is None:
            return RunStatus.CANCELLED
        row.status, row.started_at = RunStatus.RUNNING, row.started_at or utc_now()
        row.total = row.done + answer_count(session, row.cursor)
    return RunStatus.RUNNING


@DBOS.step()
@patiently
def compare_some(preview_id: str, job_id: str) -> str:
    """Score the next answers with both versions for a few seconds, and save what differs together with the progress."""
    pair = _pairs.get(preview_id) or _load(preview_id, job_id)
    if pair is None:
        return RunStatus.CANCELLED
    deadline = time.monotonic() + STEP_S
    while True:
        with _Tools.database.read() as session:
            row = _fenced(session, preview_id, job_id)
            if row is None:
                return RunStatus.CANCELLED
            answers = answers_after(session, row.cursor, CHUNK)
            for version_id in {version_id for _, _, version_id, _ in answers} - pair.shapes.keys():
                shape = task_of(session.get_one(TaskVersion, version_id)).scoring_shape()
                pair.shapes[version_id] = (shape, criterion_ids(session, version_id))
        if not answers:
            return _finish(preview_id, job_id, RunStatus.DONE, "")
        # No transaction is open while the models work.
        found = _compare(pair, answers)
        with _Tools.database.write() as session:
            row = _fenced(session, preview_id, job_id)
            if row is None:
                return RunStatus.CANCELLED
            ids = [answer[0] for answer in answers]
            there = set(session.scalars(select(Response.id).where(Response.id.in_(ids))))
            # A step that was cut off after it had loaded its answers leaves none of its changes twice.
            session.execute(
                delete(PreviewChange).where(PreviewChange.preview_id == preview_id, PreviewChange.response_id.in_(ids))
            )
            session.add_all(
                PreviewChange(preview_id=preview_id, **change)
                for change in found.changes
                if change["response_id"] in there
            )
            row.cursor = ids[-1]
            row.done += len(answers)
            row.others += found.others
            row.moved += found.moved
            row.total = max(row.total, row.done)
        if time.monotonic() >= deadline:
            return RunStatus.RUNNING


@DBOS.step()
@patiently
def end_preview(preview_id: str, job_id: str, status: str, error: str) -> str:
    """Record how the preview ended, unless it was cancelled meanwhile."""
    return _finish(preview_id, job_id, status, error)


def tidy() -> None:
    """Tell of previews whose job ended without saying so."""
    with _Tools.database.read() as session:
        waiting = session.execute(select(Preview.id, Preview.job_id).where(Preview.status.in_(OPEN))).all()
    for preview_id, job_id in waiting:
        status = DBOS.get_workflow_status(job_id)
        if status is None or status.status in ENDED:
            logger.error("Preview %s: its job ended unfinished.", preview_id)
            _finish(preview_id, job_id, RunStatus.FAILED, INTERRUPTED)


def _compare(pair: _Pair, answers: Sequence[tuple[int, str, int, str]]) -> _Found:
    """Both versions' views of some answers, task version by task version."""
    found = _Found()
    by_version: dict[tuple[int, str], list[tuple[int, str]]] = defaultdict(list)
    for response_id, text, version_id, key in answers:
        by_version[version_id, key].append((response_id, text))
    for (version_id, key), rows in by_version.items():
        shape, criteria = pair.shapes[version_id]
        texts = [text for _, text in rows]
        known, offered = pair.known.get(key) == shape, pair.offered.get(key) == shape
        before = pair.active.score(key, texts) if known else None
        after = pair.candidate.score(key, texts) if offered else None
        if before is None and after is None:
            continue  # a form of the task that neither scores
        own = pair.added is None or key == pair.added
        for at, (response_id, _) in enumerate(rows):
            old, new = before[at] if before else None, after[at] if after else None
            if not own:
                found.others += 1
                found.moved += old != new
            for criterion_id, (was, will) in _levels(old, new).items():
                if was != will:
                    found.changes.append(
                        {
                            "response_id": response_id, "criterion_id": criteria[criterion_id],
                            "before": was, "after": will,
                        }
                    )  # fmt: skip
    return found


def _levels(old: ResponseScore | None, new: ResponseScore | None) -> dict[str, tuple[int | None, int | None]]:
    """Criterion id -> level before and after."""
    before = {score.criterion_id: score.level for score in old.criteria} if old else {}
    after = {score.criterion_id: score.level for score in new.criteria} if new else {}
    return {key: (before.get(key), after.get(key)) for key in {**before, **after}}


def _load(preview_id: str, job_id: str) -> _Pair | None:
    with _Tools.database.read() as session:
        row = _fenced(session, preview_id, job_id)
        if row is None:
            return None
        active = session.get_one(StudentVersion, row.active_version_id)
        candidate = session.get_one(StudentVersion, row.candidate_version_id)
        added = None
        if candidate.task_version_id is not None:
            task_version = session.get_one(TaskVersion, candidate.task_version_id)
            added = session.get_one(TaskRow, task_version.task_id).key
    for version in (active, candidate):
        read_manifest(Path(version.folder))
    loaded = _Tools.load(Path(active.folder)), _Tools.load(Path(candidate.folder))
    pair = _Pair(*loaded, active.shapes, candidate.shapes, added)
    _pairs[preview_id] = pair
    return pair


def _finish(preview_id: str, job_id: str, status: str, error: str) -> str:
    with _Tools.database.write() as session:
        row = _fenced(session, preview_id, job_id)
        if row is None:
            return RunStatus.CANCELLED
        row.status, row.error, row.finished_at = status, error, utc_now()
    return status


def _fenced(session: Session, preview_id: str, job_id: str) -> Preview | None:
    """The preview, if this job may still write to it."""
    row = session.get(Preview, preview_id)
    return row if row is not None and row.job_id == job_id and row.status in OPEN else None
