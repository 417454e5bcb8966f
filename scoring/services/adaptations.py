"""Teaching a task to the model: started by a person, done by the worker, watched and cancelled from a screen."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import mean
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.engine import Database
from db.tables import Adaptation, TaskRow, TaskVersion, User, utc_now
from scoring.errors import Conflict, InvalidInput, ModelUnavailable, NotAllowed, NotFound
from scoring.services.actors import Actor, require
from scoring.services.audit import record
from scoring.services.example_views import overview_of
from scoring.services.jobs import Jobs
from scoring.services.runs import OPEN, RunStatus, seconds_left, seconds_taken
from scoring.services.tasks import editable_task, newest_version, task_of
from scoring.services.versions import active_version

__all__ = ["AdaptationView", "Adaptations", "CurvePoint", "RunStatus"]


@dataclass(frozen=True)
class CurvePoint:
    """Agreement with people after learning from so many labelled answers, on answers held out."""

    criterion_id: str
    labels: int
    qwk: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class AdaptationView:
    """A run as the screen shows it. `report` is there from the first usable model on where the worker gave one."""

    id: str
    task_id: int
    task_version: int
    status: RunStatus
    stage: str
    message: str
    done: int
    total: int
    seconds: float
    seconds_left: float | None
    curve: tuple[CurvePoint, ...]
    report: Mapping[str, Any] | None
    candidate_id: int | None
    error: str
    examples: int
    quick: bool
    created_at: datetime
    finished_at: datetime | None
    requested_by: str
    brings_up_to_date: bool  # nothing is trained: a candidate is put onto the active version
    parts: Mapping[str, Any]  # key -> result of each part that is finished, without its tables

    @property
    def finished(self) -> bool:
        """Whether no job is at work on it."""
        return self.status.finished


class Adaptations:
    """Runs of one's own tasks; administrators see every one."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database = database
        self._jobs = jobs

    def start(self, actor: Actor, task_id: int, token: str, quick: bool = False) -> str:
        """Train the newest version of a task, on top of the active model.

        Args:
            actor: The task's owner, or an administrator.
            task_id: The task.
            token: Made once per form, so that a double click trains once.
            quick: Stop at the first usable model.

        Returns:
            The run's id.

        Raises:
            InvalidInput: there are not enough labelled answers; the message says what is missing.
            Conflict: the task is being trained already.
            ModelUnavailable: there is no active model to build on.
        """
        with self._database.write() as session:
            user = require(session, actor)
            row = editable_task(session, user, task_id)
            before = session.scalar(select(Adaptation).where(Adaptation.submit_token == token))
            if before is not None:
                if before.requested_by != user.id or task_of_run(session, before).id != task_id:
                    raise Conflict("This form was sent before, for another task. Reload the page, then send it again.")
                return before.id
            version = newest_version(session, row)
            overview = overview_of(session, version, task_of(version))
            if not overview.ready:
                raise InvalidInput(overview.why_not)
            active = active_version(session)
            if active is None:
                raise ModelUnavailable("There is no active scoring model to add a task to. Ask an administrator.")
            require_idle(session, task_id)
            run = new_run(version.id, active.id, user.id, token, examples=overview.labelled, quick=quick)
            session.add(run)
            session.flush()
            self._jobs.enqueue_adaptation(session, run.id, run.job_id)
            record(
                session, user.id, "adaptation.start", "adaptation", run.id,
                task=task_id, task_version=version.id, base=active.id, examples=overview.labelled, quick=quick,
            )  # fmt: skip
            return run.id

    def get(self, actor: Actor, run_id: str) -> AdaptationView:
        """One run with its progress."""
        with self._database.read() as session:
            return _view(session, _require_run(session, require(session, actor), run_id))

    def newest(self, actor: Actor, task_id: int) -> AdaptationView | None:
        """The newest run of a task, if there was one."""
        with self._database.read() as session:
            editable_task(session, require(session, actor), task_id)
            run = session.scalar(
                select(Adaptation)
                .join(TaskVersion, TaskVersion.id == Adaptation.task_version_id)
                .where(TaskVersion.task_id == task_id)
                .order_by(Adaptation.created_at.desc(), Adaptation.id)
                .limit(1)
            )
            return None if run is None else _view(session, run)

    def cancel(self, actor: Actor, run_id: str) -> None:
        """Stop a run; the active model was never touched. Does nothing when it has ended already."""
        with self._database.write() as session:
            user = require(session, actor)
            run = _require_run(session, user, run_id)
            if RunStatus(run.status).finished:
                return
            # The worker looks at this between two moments of work and inside each write.
            run.status, run.finished_at = RunStatus.CANCELLED, utc_now()
            record(session, user.id, "adaptation.cancel", "adaptation", run.id)


def small(part: Mapping[str, Any]) -> dict[str, Any]:
    """A part's result without its tables, which only going on after a kill needs."""
    return {key: value for key, value in part.items() if key not in ("logits", "series")}


def new_run(task_version_id: int, base_id: int, user_id: int, token: str, **values: Any) -> Adaptation:
    """A queued run; its workflow has its id."""
    run_id = str(uuid.uuid4())
    return Adaptation(
        id=run_id,
        task_version_id=task_version_id,
        base_student_version_id=base_id,
        requested_by=user_id,
        submit_token=token,
        job_id=run_id,
        status=RunStatus.QUEUED,
        message="Waiting for the worker.",
        parts={},
        **values,
    )


def require_idle(session: Session, task_id: int) -> None:
    """Refuse a second run of a task beside one that goes on. Raises `Conflict`."""
    running = session.scalar(
        select(Adaptation.id)
        .join(TaskVersion, TaskVersion.id == Adaptation.task_version_id)
        .where(TaskVersion.task_id == task_id, Adaptation.status.in_(OPEN))
        .limit(1)
    )
    if running is not None:
        raise Conflict("This task is being trained already. Wait until that is done, or cancel it.")


def task_of_run(session: Session, run: Adaptation) -> TaskRow:
    """The task that a run is about."""
    version = session.get_one(TaskVersion, run.task_version_id)
    return session.get_one(TaskRow, version.task_id)


def _require_run(session: Session, user: User, run_id: str) -> Adaptation:
    run = session.get(Adaptation, run_id)
    if run is None:
        raise NotFound("There is no such training among yours.")
    try:
        editable_task(session, user, task_of_run(session, run).id)
    except (NotFound, NotAllowed):
        raise NotFound("There is no such training among yours.") from None
    return run


def _view(session: Session, run: Adaptation) -> AdaptationView:
    version = session.get_one(TaskVersion, run.task_version_id)
    by = session.get(User, run.requested_by)
    return AdaptationView(
        id=run.id,
        task_id=version.task_id,
        task_version=version.number,
        status=RunStatus(run.status),
        stage=run.stage,
        message=run.message,
        done=run.done,
        total=run.total,
        seconds=seconds_taken(run.started_at, run.finished_at),
        seconds_left=seconds_left(run.status, run.started_at, run.done, run.total),
        curve=_curve(run),
        report=run.report,
        candidate_id=run.candidate_version_id,
        error=run.error,
        examples=run.examples,
        quick=run.quick,
        created_at=run.created_at,
        finished_at=run.finished_at,
        requested_by=by.name if by is not None else "",
        brings_up_to_date=run.source_version_id is not None,
        parts={key: small(part) for key, part in run.parts.items()},
    )


def _curve(run: Adaptation) -> tuple[CurvePoint, ...]:
    """The learning curve so far: the report's, or the parts' while it is drawn."""
    if run.report is not None:
        return tuple(
            CurvePoint(criterion["criterion_id"], p["labels"], p["qwk"], p["low"], p["high"])
            for criterion in run.report.get("criteria", [])
            for p in criterion.get("curve") or []
        )
    drawn: dict[tuple[str, int], list[list[float]]] = defaultdict(list)
    for part in run.parts.values():
        for criterion_id, series in (part.get("series") or {}).items():
            # The figure itself, then its resamples; none where it is undefined.
            if series and series[0] is not None:
                drawn[criterion_id, part["labels"]].append([value for value in series if value is not None])
    return tuple(
        CurvePoint(criterion_id, labels, round(mean(one[0] for one in series), 4), *_interval(series))
        for (criterion_id, labels), series in sorted(drawn.items())
    )


def _interval(series: Sequence[Sequence[float]]) -> tuple[float | None, float | None]:
    """The middle 95% of the resamples of all trainings on so many labels."""
    resamples = sorted(value for one in series for value in one[1:])
    if not resamples:
        return None, None
    edge = int(0.025 * len(resamples))
    return resamples[edge], resamples[-1 - edge]
