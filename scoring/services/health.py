"""Whether database and worker do their work, told truly."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from db.engine import Database
from db.schema import current_revision, newest_revision
from db.tables import Upload, Worker, utc_now
from scoring.domain import Role, UploadStatus
from scoring.services.actors import Actor, require
from scoring.services.versions import active_version

HEARTBEAT_LIMIT = timedelta(seconds=15)
READY = "ready"


@dataclass(frozen=True)
class DatabaseHealth:
    """`ok` when the database answers and has the schema of this program."""

    ok: bool
    revision: str
    message: str


@dataclass(frozen=True)
class WorkerHealth:
    """A worker as it last reported itself; `ok` when it is ready and its report is fresh."""

    executor_id: str
    ok: bool
    state: str
    pid: int
    device: str
    student_version_key: str
    started_at: datetime
    heartbeat_at: datetime
    message: str


@dataclass(frozen=True)
class QueueHealth:
    """Uploads that wait and that are being scored."""

    queued: int
    running: int


class Health:
    """Readiness for probes, details for administrators."""

    def __init__(self, database: Database, worker_log: Path) -> None:
        self._database = database
        self._worker_log = worker_log

    def database(self) -> DatabaseHealth:
        """Ask the database something."""
        try:
            found, needed = current_revision(self._database), newest_revision()
        except SQLAlchemyError as error:
            return DatabaseHealth(False, "", f"The database does not answer: {type(error).__name__}")
        if found != needed:
            return DatabaseHealth(False, found or "", f"The database is at revision {found}, {needed} is needed.")
        return DatabaseHealth(True, found or "", "The database answers.")

    def workers(self) -> list[WorkerHealth]:
        """Every worker that ever reported, the freshest first."""
        with self._database.read() as session:
            rows = list(session.scalars(select(Worker).order_by(Worker.heartbeat_at.desc())))
        return [_worker(row) for row in rows]

    def ready(self) -> tuple[bool, dict[str, str]]:
        """Whether a file uploaded now would be scored, and why not."""
        database = self.database()
        if not database.ok:
            return False, {"database": database.message, "worker": "unknown", "student": "unknown"}
        workers = self.workers()
        if any(worker.ok for worker in workers):
            state = "ok"
        elif workers:
            state = f"{workers[0].state}: {workers[0].message}".rstrip(": ")
        else:
            state = "has not started yet"
        with self._database.read() as session:
            student = "ok" if active_version(session) is not None else "There is no active scoring model."
        parts = {"database": "ok", "worker": state, "student": student}
        return state == student == "ok", parts

    def queue(self, actor: Actor) -> QueueHealth:
        """How much work there is. Administrators only."""
        with self._database.read() as session:
            require(session, actor, Role.ADMINISTRATOR)
            counts = dict(session.execute(select(Upload.status, func.count()).group_by(Upload.status)).all())
        return QueueHealth(counts.get(UploadStatus.QUEUED, 0), counts.get(UploadStatus.RUNNING, 0))

    def worker_log(self, actor: Actor, lines: int = 200) -> str:
        """The end of what the supervised worker printed. Administrators only."""
        with self._database.read() as session:
            require(session, actor, Role.ADMINISTRATOR)
        if not self._worker_log.exists():
            return ""
        with self._worker_log.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - 200_000))
            return "\n".join(stream.read().decode("utf-8", "replace").splitlines()[-lines:])


def _worker(row: Worker) -> WorkerHealth:
    fresh = utc_now() - row.heartbeat_at < HEARTBEAT_LIMIT
    state = row.state if fresh or row.state in {"stopped", "failed"} else "silent"
    return WorkerHealth(
        executor_id=row.executor_id,
        ok=fresh and row.state == READY,
        state=state,
        pid=row.pid,
        device=row.device,
        student_version_key=row.student_version_key,
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
        message=row.message,
    )
