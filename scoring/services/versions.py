"""Student versions: which checkpoints there are, and which one scores."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.engine import Database
from db.tables import MachineScore, StudentVersion, VersionMetric, utc_now
from scoring.domain import Role
from scoring.errors import Conflict, InvalidInput, ModelUnavailable, NotFound, StorageFull
from scoring.services.actors import Actor, require
from scoring.services.audit import record

ACTIVE, CANDIDATE, RETIRED = "active", "candidate", "retired"
LONGEST_REASON = 1_000  # characters of why a version is used although a check failed
MEASURES = ("qwk", "exact", "adjacent", "smd")


@dataclass(frozen=True)
class VersionSummary:
    """A student version as the versions screen shows it. `card` is the model card as trained."""

    id: int
    version_key: str
    state: str
    folder: str
    created_at: datetime
    activated_at: datetime | None
    task_keys: tuple[str, ...]
    bytes_on_disk: int
    scores: int
    card: dict[str, Any]


@dataclass(frozen=True)
class Metric:
    """One measured figure with its 95% interval."""

    task_key: str
    criterion_key: str
    name: str
    value: float
    low: float | None
    high: float | None
    n: int


class Versions:
    """The versions that are registered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, actor: Actor) -> list[VersionSummary]:
        """Every version, the active one first. Administrators only."""
        with self._database.read() as session:
            require(session, actor, Role.ADMINISTRATOR)
            rows = session.scalars(select(StudentVersion).order_by(StudentVersion.id.desc()))
            summaries = [_summary(session, row) for row in rows]
        return sorted(summaries, key=lambda s: s.state != ACTIVE)

    def metrics(self, actor: Actor, task_key: str) -> list[Metric]:
        """What was measured for a task on answers that the active version was not trained on."""
        with self._database.read() as session:
            require(session, actor)
            version = active_version(session)
            if version is None:
                return []
            return metrics_of(session, version.id, task_key)

    def activate(self, actor: Actor, version_id: int) -> None:
        """Let a version score from now on; scores that exist stay as they are until somebody scores again.

        Raises:
            Conflict: it is active already, or adds a task to a version that is not the active one.
            ModelUnavailable: its folder is missing or damaged; the active version stays.
        """
        with self._database.read() as session:
            require(session, actor, Role.ADMINISTRATOR)
            row = session.get(StudentVersion, version_id)
            folder = None if row is None else Path(row.folder)
        if folder is not None:
            # Outside the transaction: it reads the whole file.
            read_manifest(folder)
        with self._database.write() as session:
            user = require(session, actor, Role.ADMINISTRATOR)
            row = session.get(StudentVersion, version_id)
            if row is None:
                raise NotFound("There is no such version.")
            switch_to(session, user.id, row)


def switch_to(session: Session, user_id: int, row: StudentVersion, despite: str = "") -> None:
    """Make a version the active one, and record who did it.

    Args:
        session: A write session.
        user_id: Who does it.
        row: The version.
        despite: Why, although its stress test failed; kept with the version, where it did.

    Raises:
        Conflict: it is active already, or it is stale.
        InvalidInput: its stress test failed and no reason is given.
    """
    if row.state == ACTIVE:
        raise Conflict("This version is active already.")
    before = active_version(session)
    if is_stale(row, before):
        raise Conflict(
            "Another version became active since this one was made, and it may know tasks that this one does not. "
            "Bring this one up to date, then activate it."
        )
    failed = failed_checks(row)
    note = despite.strip()[:LONGEST_REASON] if failed else ""
    if failed and not note:
        raise InvalidInput(f"The stress test failed: {', '.join(failed)}. Say why it may score all the same.")
    if before is not None:
        before.state = RETIRED
        # Written first: the database holds one active version at most at any moment.
        session.flush()
    row.state, row.activated_at, row.activated_by, row.activation_note = ACTIVE, utc_now(), user_id, note
    row.replaced_id = before.id if before is not None else None
    record(
        session, user_id, "version.activate", "student_version", row.id,
        before=before and before.id, failed_checks=len(failed), despite=bool(failed),
    )  # fmt: skip


def failed_checks(version: StudentVersion) -> tuple[str, ...]:
    """The titles of the stress tests that a version did not pass."""
    report = version.card.get("adaptation") or {}
    return tuple(str(c.get("title") or c["check"]) for c in report.get("certificate") or [] if c.get("passed") is False)


def is_stale(row: StudentVersion, active: StudentVersion | None) -> bool:
    """Whether a version adds its task to another version than the active one, whose other tasks it may lack."""
    return row.parent_id is not None and active is not None and active.id not in (row.parent_id, row.id)


def active_version(session: Session) -> StudentVersion | None:
    """The version that scores, if there is one."""
    return session.scalar(select(StudentVersion).where(StudentVersion.state == ACTIVE))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a version folder's `config.json` and check its weights' hash, without loading the model.

    Raises:
        ModelUnavailable: a file is missing or was changed.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        digest = hashlib.sha256((folder / "student.safetensors").read_bytes()).hexdigest()
        if digest != manifest["weights_sha256"]:
            raise ModelUnavailable(f"{folder}: student.safetensors was changed or damaged; copy the version again")
        manifest["version_id"], manifest["student"]["tasks"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailable(f"{folder}: not a readable student version ({error!r})") from error
    return manifest


def register_student(
    database: Database,
    folder: Path,
    store: Path,
    actor_id: int | None = None,
    *,
    parent_id: int | None = None,
    task_version_id: int | None = None,
) -> str:
    """Copy a version folder into `store` and list it; the first one becomes active. Idempotent.

    Args:
        database: Where it is listed.
        folder: What training wrote.
        store: The folder of all versions; one each, by key.
        actor_id: Who asked for it; `None` for the program itself.
        parent_id: The version that it was made from by adding a task.
        task_version_id: That task's version.

    Returns:
        The version's key.

    Raises:
        ModelUnavailable: the folder is damaged.
        StorageFull: the disk is full; nothing is listed, and no half copy stays.
    """
    manifest = read_manifest(folder)
    key = str(manifest["version_id"])
    card_path = folder / "card.json"
    card = json.loads(card_path.read_text(encoding="utf-8")) if card_path.exists() else {}
    try:
        home = _copy(folder, store / key)
    except (OSError, shutil.Error) as error:
        if is_no_space(error):
            raise StorageFull(f"{store}: the disk is full, so the version was not saved.") from error
        raise
    with database.write() as session:
        known = session.scalar(select(StudentVersion).where(StudentVersion.version_key == key))
        if known is not None:
            # The data folder was moved, or a backup was restored elsewhere.
            known.folder = str(home)
            return key
        first = active_version(session) is None
        row = StudentVersion(
            version_key=key,
            folder=str(home),
            state=ACTIVE if first else CANDIDATE,
            shapes=manifest["student"]["tasks"],
            card=card,
            parent_id=parent_id,
            task_version_id=task_version_id,
            created_by=actor_id,
            activated_at=utc_now() if first else None,
        )
        session.add(row)
        session.flush()
        session.add_all(VersionMetric(student_version_id=row.id, **metric) for metric in _metrics(card))
        record(
            session, actor_id, "version.register", "student_version", row.id,
            state=row.state, parent=parent_id, task_version=task_version_id,
        )  # fmt: skip
    return key


def find_moved(database: Database, store: Path) -> None:
    """Point versions whose folder is gone to where they lie in `store`: the data folder was moved."""
    with database.read() as session:
        rows = session.execute(select(StudentVersion.id, StudentVersion.version_key, StudentVersion.folder)).all()
    moved = {i: store / key for i, key, folder in rows if not Path(folder).exists() and (store / key).exists()}
    if moved:
        with database.write() as session:
            for version_id, home in moved.items():
                session.get_one(StudentVersion, version_id).folder = str(home)


def is_no_space(error: BaseException) -> bool:
    """Whether an error says that the disk took no more bytes."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)


def _copy(folder: Path, home: Path) -> Path:
    if home.exists():
        return home
    home.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=home.parent, prefix=".part-"))
    try:
        shutil.copytree(folder, part, dirs_exist_ok=True)
        part.chmod(0o755)
        try:
            part.rename(home)
        except OSError:
            if not home.exists():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return home


def _metrics(card: dict[str, Any]) -> list[dict[str, Any]]:
    """The card's figures on answers held out to the end, one row per task, criterion and measure."""
    return [
        {
            "task_key": task["task_id"],
            "criterion_key": criterion["criterion_id"],
            "name": name,
            "value": criterion[name],
            **_interval(criterion, name),
            "n": criterion["n"],
        }
        for task in (card.get("val") or {}).get("tasks", [])
        for criterion in task["criteria"]
        for name in MEASURES
        if criterion.get(name) is not None
    ]


def _interval(criterion: Mapping[str, Any], name: str) -> Mapping[str, float | None]:
    if f"{name}_low" in criterion:
        return {"low": criterion[f"{name}_low"], "high": criterion[f"{name}_high"]}
    return (criterion.get("intervals") or {}).get(name) or {"low": None, "high": None}


def _summary(session: Session, row: StudentVersion) -> VersionSummary:
    scores = select(func.count()).select_from(MachineScore).where(MachineScore.student_version_id == row.id)
    return VersionSummary(
        row.id,
        row.version_key,
        row.state,
        row.folder,
        row.created_at,
        row.activated_at,
        tuple(row.shapes),
        bytes_of(row),
        session.scalar(scores) or 0,
        row.card,
    )


def bytes_of(row: StudentVersion) -> int:
    """What a version takes on disk."""
    folder = Path(row.folder)
    return sum(path.stat().st_size for path in folder.iterdir()) if folder.exists() else 0


def metrics_of(session: Session, version_id: int, task_key: str) -> list[Metric]:
    """What was measured for a task on answers that a version was not trained on."""
    rows = session.scalars(
        select(VersionMetric)
        .where(VersionMetric.student_version_id == version_id, VersionMetric.task_key == task_key)
        .order_by(VersionMetric.id)
    )
    return [Metric(m.task_key, m.criterion_key, m.name, m.value, m.low, m.high, m.n) for m in rows]
