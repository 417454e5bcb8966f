"""What screens are told about candidates, previews and the history of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from db.adaptation_queries import changes
from db.tables import Preview, StudentVersion, TaskRow, TaskVersion, User
from scoring.domain import Role
from scoring.services.actors import visible_section_ids
from scoring.services.runs import RunStatus, seconds_left
from scoring.services.tasks import task_of
from scoring.services.versions import (
    ACTIVE,
    Metric,
    active_version,
    bytes_of,
    failed_checks,
    is_stale,
    metrics_of,
)


@dataclass(frozen=True)
class Candidate:
    """A version that adds a task, as the task's own screen lists it, whatever its state."""

    version_id: int
    key: str
    created_at: datetime
    by: str
    state: str  # candidate, active, retired
    report: Mapping[str, Any]
    metrics: tuple[Metric, ...]
    parent_id: int | None
    parent_key: str
    bytes: int
    added_bytes: int
    stale: bool  # another version is active now than the one that it was made from
    fits: bool  # it scores the task as it reads now


@dataclass(frozen=True)
class CriterionComparison:
    """Measured figures of a criterion (`qwk`, `exact`, `adjacent`, `smd`) under two versions."""

    criterion_id: str
    name: str
    active: Mapping[str, Metric] | None  # None: the active version does not score the task in this form
    candidate: Mapping[str, Metric] | None


@dataclass(frozen=True)
class Comparison:
    """A candidate beside the active version."""

    candidate_id: int
    candidate_key: str
    active_id: int | None
    active_key: str
    task_id: int
    task_title: str
    criteria: tuple[CriterionComparison, ...]
    certificate: tuple[Mapping[str, Any], ...]
    failed_checks: tuple[str, ...]  # titles of the certificate's checks that failed
    drift: Mapping[str, Any]
    verdict: str
    stale: bool
    may_activate: bool
    why_not: str


@dataclass(frozen=True)
class OtherTasks:
    """What a candidate does to the tasks that it does not add."""

    answers: int
    moved: int

    @property
    def identical(self) -> bool:
        """Whether every one came out the same, to the last bit."""
        return self.moved == 0


@dataclass(frozen=True)
class Change:
    """A level that would be another one. Without `before` the active version does not score the task."""

    response_id: int
    criterion_id: str
    criterion: str
    before: int | None
    after: int | None
    reviewed: bool  # a person decided on the answer, so its final score stays
    text: str
    row: int
    upload_id: str
    file_name: str
    section: str


@dataclass(frozen=True)
class PreviewView:
    """A preview with its progress. `changed` is a page of what the actor may see; `changed_count` counts those."""

    id: str
    candidate_id: int
    active_id: int
    status: RunStatus
    done: int
    total: int
    seconds_left: float | None
    other_tasks: OtherTasks
    answers: int
    changed: tuple[Change, ...]
    changed_count: int
    error: str
    outdated: bool  # another version is active now than the one compared with
    created_at: datetime
    finished_at: datetime | None

    @property
    def finished(self) -> bool:
        """Whether no job is at work on it."""
        return self.status.finished


@dataclass(frozen=True)
class LineageEntry:
    """A version in the history of the model."""

    version_id: int
    key: str
    state: str
    parent_id: int | None
    parent_key: str
    task_id: int | None  # the task that it adds
    task_title: str
    tasks: tuple[str, ...]  # keys of all tasks that it scores
    by: str
    created_at: datetime
    activated_at: datetime | None
    activated_by: str
    activation_note: str  # why it was activated although its stress test failed
    bytes: int
    added_bytes: int
    stale: bool
    rolls_back_to: int | None  # only of the active version
    card: Mapping[str, Any]


def _name(session: Session, user_id: int | None) -> str:
    user = session.get(User, user_id) if user_id is not None else None
    return user.name if user is not None else ""


def _key(session: Session, version_id: int | None) -> str:
    version = session.get(StudentVersion, version_id) if version_id is not None else None
    return version.version_key if version is not None else ""


def candidate_view(
    session: Session,
    version: StudentVersion,
    task_key: str,
    shape: Mapping[str, Any],
    active: StudentVersion | None,
) -> Candidate:
    """A version as its task's screen lists it."""
    report = version.card.get("adaptation") or {}
    return Candidate(
        version_id=version.id,
        key=version.version_key,
        created_at=version.created_at,
        by=_name(session, version.created_by),
        state=version.state,
        report=report,
        metrics=tuple(metrics_of(session, version.id, task_key)),
        parent_id=version.parent_id,
        parent_key=_key(session, version.parent_id),
        bytes=bytes_of(version),
        added_bytes=int(report.get("added_bytes") or 0),
        stale=is_stale(version, active),
        fits=version.shapes.get(task_key) == shape,
    )


def comparison_view(session: Session, user: User, version: StudentVersion, task_version: TaskVersion) -> Comparison:
    """A candidate beside the active version."""
    task, active = task_of(task_version), active_version(session)
    report = version.card.get("adaptation") or {}
    knows = active is not None and active.shapes.get(task.id) == version.shapes.get(task.id)

    def figures(version_id: int | None) -> dict[str, dict[str, Metric]]:
        found: dict[str, dict[str, Metric]] = {criterion.id: {} for criterion in task.criteria}
        for metric in metrics_of(session, version_id, task.id) if version_id is not None else ():
            found.setdefault(metric.criterion_key, {})[metric.name] = metric
        return found

    ours, theirs = figures(version.id), figures(active.id if active is not None and knows else None)
    stale = is_stale(version, active)
    why_not = ""
    if version.state == ACTIVE:
        why_not = "This version is active already."
    elif stale:
        why_not = "Another version became active since this one was made. Bring this one up to date first."
    return Comparison(
        candidate_id=version.id,
        candidate_key=version.version_key,
        active_id=active.id if active is not None else None,
        active_key=active.version_key if active is not None else "",
        task_id=task_version.task_id,
        task_title=task_version.title,
        criteria=tuple(
            CriterionComparison(c.id, c.name, theirs[c.id] if knows else None, ours[c.id] or None)
            for c in task.criteria
        ),
        certificate=tuple(report.get("certificate") or ()),
        failed_checks=failed_checks(version),
        drift=report.get("drift") or {},
        verdict=str(report.get("verdict") or ""),
        stale=stale,
        may_activate=not why_not,
        why_not=why_not,
    )


def preview_view(session: Session, user: User, row: Preview, limit: int, offset: int) -> PreviewView:
    """A preview as somebody may see it."""
    sections = None if user.role == Role.ADMINISTRATOR else visible_section_ids(session, user)
    page, count = changes(session, row.id, sections, limit=limit, offset=offset)
    active = active_version(session)
    return PreviewView(
        id=row.id,
        candidate_id=row.candidate_version_id,
        active_id=row.active_version_id,
        status=RunStatus(row.status),
        done=row.done,
        total=row.total,
        seconds_left=seconds_left(row.status, row.started_at, row.done, row.total),
        other_tasks=OtherTasks(row.others, row.moved),
        answers=row.done,
        changed=tuple(
            Change(
                c.response_id,
                c.criterion_id,
                c.criterion,
                c.before,
                c.after,
                c.reviewed,
                c.text,
                c.row_number,
                c.upload_id,
                c.file_name,
                c.section,
            )
            for c in page
        ),
        changed_count=count,
        error=row.error,
        outdated=active is None or active.id != row.active_version_id,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def lineage_view(session: Session, row: StudentVersion, active: StudentVersion | None) -> LineageEntry:
    """A version in the history of the model."""
    task_version = session.get(TaskVersion, row.task_version_id) if row.task_version_id is not None else None
    task = session.get(TaskRow, task_version.task_id) if task_version is not None else None
    report = row.card.get("adaptation") or {}
    return LineageEntry(
        version_id=row.id,
        key=row.version_key,
        state=row.state,
        parent_id=row.parent_id,
        parent_key=_key(session, row.parent_id),
        task_id=task.id if task is not None else None,
        task_title=task_version.title if task_version is not None else "",
        tasks=tuple(row.shapes),
        by=_name(session, row.created_by),
        created_at=row.created_at,
        activated_at=row.activated_at,
        activated_by=_name(session, row.activated_by),
        activation_note=row.activation_note,
        bytes=bytes_of(row),
        added_bytes=int(report.get("added_bytes") or 0),
        stale=is_stale(row, active),
        rolls_back_to=row.replaced_id if row.state == ACTIVE else None,
        card=row.card,
    )
