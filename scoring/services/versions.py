"""Student versions: which checkpoints there are, and which one scores."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.engine import Database
from db.tables import MachineScore, StudentVersion, VersionMetric, utc_now
from scoring.domain import Role
from scoring.errors import Conflict, ModelUnavailable, NotFound
from scoring.services.actors import Actor, require
from scoring.services.audit import record

ACTIVE, CANDIDATE, RETIRED = "active", "candidate", "retired"
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
            rows = session.scalars(
                select(VersionMetric)
                .where(VersionMetric.student_version_id == version.id, VersionMetric.task_key == task_key)
                .order_by(VersionMetric.id)
            )
            return [Metric(m.task_key, m.criterion_key, m.name, m.value, m.low, m.high, m.n) for m in rows]

    def activate(self, actor: Actor, version_id: int) -> None:
        """Let a version score from now on; scores that exist stay as they are until somebody scores again.

        Raises:
            Conflict: it is active already.
            ModelUnavailable: its folder is missing or damaged; the active version stays.
        """
        with self._database.write() as session:
            require(session, actor, Role.ADMINISTRATOR)
            row = session.get(StudentVersion, version_id)
            if row is None:
                raise NotFound("There is no such version.")
            if row.state == ACTIVE:
                raise Conflict("This version is active already.")
            read_manifest(Path(row.folder))
            before = active_version(session)
            if before is not None:
                before.state = RETIRED
            row.state, row.activated_at = ACTIVE, utc_now()
            record(
                session,
                actor.user_id,
                "version.activate",
                "student_version",
                row.id,
                before=before and before.id,
            )


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


def register_student(database: Database, folder: Path, store: Path, actor_id: int | None = None) -> str:
    """Copy a version folder into `store` and list it; the first one becomes active. Idempotent.

    Returns:
        The version's key.
    """
    manifest = read_manifest(folder)
    key = str(manifest["version_id"])
    card_path = folder / "card.json"
    card = json.loads(card_path.read_text(encoding="utf-8")) if card_path.exists() else {}
    home = _copy(folder, store / key)
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
            activated_at=utc_now() if first else None,
        )
        session.add(row)
        session.flush()
        session.add_all(VersionMetric(student_version_id=row.id, **metric) for metric in _metrics(card))
        record(session, actor_id, "version.register", "student_version", row.id, state=row.state)
    return key


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
            "low": criterion.get(f"{name}_low"),
            "high": criterion.get(f"{name}_high"),
            "n": criterion["n"],
        }
        for task in (card.get("val") or {}).get("tasks", [])
        for criterion in task["criteria"]
        for name in MEASURES
        if criterion.get(name) is not None
    ]


def _summary(session: Session, row: StudentVersion) -> VersionSummary:
    folder = Path(row.folder)
    size = sum(path.stat().st_size for path in folder.iterdir()) if folder.exists() else 0
    scores = select(func.count()).select_from(MachineScore).where(MachineScore.student_version_id == row.id)
    return VersionSummary(
        row.id,
        row.version_key,
        row.state,
        row.folder,
        row.created_at,
        row.activated_at,
        tuple(row.shapes),
        size,
        session.scalar(scores) or 0,
        row.card,
    )
