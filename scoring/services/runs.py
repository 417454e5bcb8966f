"""Long work that people watch: where it stands, and how long it will take."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from db.tables import utc_now


class RunStatus(StrEnum):
    """Where a training run or a preview stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        """Whether nothing more will happen."""
        return self not in OPEN


OPEN = (RunStatus.QUEUED, RunStatus.RUNNING)


def seconds_left(status: str, started_at: datetime | None, done: int, total: int) -> float | None:
    """The time to go at the pace so far; `None` before there is one."""
    if status != RunStatus.RUNNING or started_at is None or not done:
        return None
    return (utc_now() - started_at).total_seconds() / done * max(0, total - done)


def seconds_taken(started_at: datetime | None, finished_at: datetime | None) -> float:
    """The time since it began, or that it took."""
    if started_at is None:
        return 0.0
    return ((finished_at or utc_now()) - started_at).total_seconds()
