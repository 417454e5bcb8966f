"""A migrated database to copy, a small school in it, and a clock that can be moved."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import event, select, update

from db import tables
from db.engine import Database
from db.queries import criterion_ids
from db.schema import migrate
from db.tables import HouseRule, MachineScore, Response, StudentVersion, Upload
from scoring.domain import Role, UploadStatus
from scoring.intake.checking import Mapping as Columns
from scoring.services import accounts, actors
from scoring.services.actors import Actor
from scoring.services.house import Services, open_services
from scoring.services.review_state import refresh
from scoring.services.tasks import load_item_bank
from scoring.settings import Settings

PASSWORD = "a long enough sentence"
COLUMNS = Columns(answer="answer", learner="id", learner_name="name")
TASKS: list[dict[str, Any]] = [
    {
        "id": "melting-ice",
        "title": "Why does ice melt?",
        "prompt": "Explain why an ice cube melts on a warm plate.",
        "criteria": [
            {
                "id": "heat",
                "name": "Names the transfer of heat",
                "levels": [{"value": value, "descriptor": f"{value} ideas"} for value in range(3)],
            },
            {
                "id": "claim",
                "name": "Makes a claim",
                "levels": [{"value": 0, "descriptor": "no"}, {"value": 1, "descriptor": "yes"}],
            },
        ],
    },
    {
        "id": "unscored",
        "title": "A task without a model",
        "prompt": "What does a plant need light for?",
        "criteria": [
            {
                "id": "score",
                "name": "Score",
                "levels": [{"value": value, "descriptor": f"{value} ideas"} for value in range(3)],
            }
        ],
    },
]
SHAPES = {"melting-ice": {"heat": [0, 1, 2], "claim": [0, 1]}}


def write_item_bank(folder: Path, tasks: Sequence[Mapping[str, Any]], responses: str = "") -> Path:
    """An item bank folder with these tasks and, unless given, no labelled responses."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tasks.json").write_text(json.dumps(tasks), encoding="utf-8")
    (folder / "responses.csv").write_text(responses or "task_id,response_id,text\n", encoding="utf-8")
    return folder


def class_csv(rows: Sequence[tuple[str, str, str]]) -> bytes:
    """A class file of (id, name, answer) with the header that `COLUMNS` maps."""
    lines = ["id,name,answer", *(",".join(f'"{cell}"' for cell in row) for row in rows)]
    return "\n".join(lines).encode() + b"\n"


@dataclass(frozen=True)
class School:
    """Services over a database with an administrator, two educators, a section each, and two tasks."""

    services: Services
    administrator: Actor
    educator: Actor
    stranger: Actor
    section: int
    strangers_section: int
    task: int
    version: int
    unscored_version: int

    @property
    def database(self) -> Database:
        return self.services.database

    def upload(
        self,
        rows: Sequence[tuple[str, str, str]] = (("s1", "Ann", "Heat moves."), ("s2", "Ben", "It is warm.")),
        *,
        token: str = "token",
        actor: Actor | None = None,
        name: str = "class.csv",
        section: int | None = None,
    ) -> str:
        """Submit a class file in the educator's section."""
        return self.services.uploads.submit(
            actor or self.educator, section or self.section, self.version, name, class_csv(rows), COLUMNS, token
        )

    def response_ids(self, upload_id: str) -> list[int]:
        """The upload's responses in file order."""
        with self.database.read() as session:
            query = select(Response.id).where(Response.upload_id == upload_id).order_by(Response.row_number)
            return list(session.scalars(query))

    def machine(self, response_id: int, levels: Mapping[str, int], job_id: str = "job", version: int = 1) -> None:
        """Write machine scores as a job does: replaced where this version spoke before."""
        with self.database.write() as session:
            response = session.get(Response, response_id)
            assert response is not None
            upload = session.get(Upload, response.upload_id)
            assert upload is not None
            rows = criterion_ids(session, upload.task_version_id)
            for key, level in levels.items():
                count = len(SHAPES["melting-ice"][key])
                probabilities = [0.9 if i == level else 0.1 / (count - 1) for i in range(count)]
                old = session.scalar(
                    select(MachineScore).where(
                        MachineScore.response_id == response_id,
                        MachineScore.criterion_id == rows[key],
                        MachineScore.student_version_id == version,
                    )
                )
                if old is not None:
                    session.delete(old)
                    session.flush()
                session.add(
                    MachineScore(
                        response_id=response_id,
                        criterion_id=rows[key],
                        student_version_id=version,
                        level=level,
                        expected=float(level),
                        probabilities=probabilities,
                        job_id=job_id,
                    )
                )
            session.flush()
            refresh(session, [response_id], alike=False)

    def set_upload(self, upload_id: str, **values: Any) -> None:
        """Write an upload's columns as the worker does."""
        with self.database.write() as session:
            session.execute(update(Upload).where(Upload.id == upload_id).values(**values))

    def finish(self, upload_id: str) -> None:
        """Mark an upload's job as done."""
        self.set_upload(upload_id, status=UploadStatus.DONE)

    def count(self, table: str) -> int:
        """How many rows a table has, as another program sees them."""
        with sqlite3.connect(self.services.settings.data_dir / "evenhand.db") as connection:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def counts(self) -> dict[str, int]:
        """Rows of every table that an upload or a decision writes to."""
        names = (
            "uploads", "upload_files", "responses", "response_flags", "learners", "section_members",
            "human_scores", "audit_events", "workflow_status",
        )  # fmt: skip
        return {name: self.count(name) for name in names}


@dataclass(frozen=True)
class _Template:
    folder: Path
    school: School


def settings_of(folder: Path) -> Settings:
    """Settings over a data folder, with nothing registered or loaded."""
    return Settings(data_dir=folder, student=folder / "none", classroom=folder / "none", worker="external")


@pytest.fixture(scope="session", autouse=True)
def _quick_password_hashes() -> Iterator[None]:
    """Hashing is slow on purpose; here it need not be."""
    with pytest.MonkeyPatch.context() as patch:
        quick = partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(accounts, "PasswordHasher", quick)
        yield


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database with the newest schema; copied, never used."""
    path = tmp_path_factory.mktemp("template") / "evenhand.db"
    database = Database(f"sqlite:///{path}")
    migrate(database, path.parent / "backups")
    database.close()
    return path


@pytest.fixture
def fresh_db(migrated_file: Path, tmp_path: Path) -> Iterator[Database]:
    """A migrated database of the test's own."""
    (tmp_path / "var").mkdir()
    path = shutil.copy(migrated_file, tmp_path / "var" / "evenhand.db")
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture
def empty_house(fresh_db: Database, tmp_path: Path) -> Iterator[Services]:
    """Services over a migrated database in which nobody has an account."""
    opened = open_services(settings_of(tmp_path / "var"))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def _school_template(
    _quick_password_hashes: None, migrated_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> _Template:
    folder = tmp_path_factory.mktemp("school")
    shutil.copy(migrated_file, folder / "evenhand.db")
    load = open_services(settings_of(folder))
    code = load.accounts.new_setup_code()
    assert code is not None
    administrator = load.accounts.resume(
        load.accounts.set_up(code, "Ada Admin", "ada@school.example", PASSWORD, "127.0.0.1")
    )

    def add_educator(name: str, email: str) -> Actor:
        _, first = load.accounts.add_person(administrator, name, email, Role.EDUCATOR)
        token = load.accounts.sign_in(email, first, "127.0.0.1")
        load.accounts.change_password(load.accounts.resume(token), first, PASSWORD)
        return load.accounts.resume(token)

    educator = add_educator("Edna Educator", "edna@school.example")
    stranger = add_educator("Sam Stranger", "sam@school.example")
    load_item_bank(load.database, write_item_bank(folder / "bank", TASKS))
    with load.database.write() as session:
        session.add(
            StudentVersion(
                version_key="fake", folder=str(folder / "fake"), state="active", shapes=SHAPES, card={"val": {}}
            )
        )
        # Tests of other things see every score at once; those of blind scoring set a share.
        session.add(HouseRule(name="blind", value={"share": 0}))
    tasks = {summary.task.id: summary for summary in load.tasks.available(educator)}
    school = School(
        services=load,
        administrator=administrator,
        educator=educator,
        stranger=stranger,
        section=load.sections.create(educator, "Period 1").id,
        strangers_section=load.sections.create(stranger, "Period 2").id,
        task=tasks["melting-ice"].id,
        version=tasks["melting-ice"].version_id,
        unscored_version=tasks["unscored"].version_id,
    )
    load.close()
    return _Template(folder, school)


@pytest.fixture(scope="session")
def open_school(_school_template: _Template) -> Iterator[Callable[[Path], School]]:
    """`open_school(folder)`: another copy of the school in that folder; closed at the end."""
    opened: list[Services] = []

    def open_copy(folder: Path) -> School:
        folder.mkdir(parents=True)
        shutil.copy(_school_template.folder / "evenhand.db", folder / "evenhand.db")
        opened.append(open_services(settings_of(folder)))
        return replace(_school_template.school, services=opened[-1])

    yield open_copy
    for services in opened:
        services.close()


@pytest.fixture
def school(open_school: Callable[[Path], School], tmp_path: Path) -> Iterator[School]:
    """The school in the test's own folder."""
    own = open_school(tmp_path / "var")
    yield own
    own.services.close()


class Clock:
    """The time as accounts and sessions see it; `forward` lets it pass."""

    def __init__(self) -> None:
        self._offset = timedelta()

    def forward(self, **amount: float) -> None:
        self._offset += timedelta(**amount)

    def __call__(self) -> datetime:
        return tables.utc_now() + self._offset


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    moved = Clock()
    for module in (accounts, actors):
        monkeypatch.setattr(module, "utc_now", moved)
    return moved


@pytest.fixture
def fill_disk() -> Iterator[Callable[..., Callable[[], None]]]:
    """Leave a database room for so many more pages; what `fill_disk` returns frees the disk again."""
    undo: list[Callable[[], None]] = []

    def fill(database: Database, pages: int = 0) -> Callable[[], None]:
        database.engine.dispose()
        with database.engine.connect() as connection:
            limit = int(connection.exec_driver_sql("PRAGMA page_count").scalar_one()) + pages
        database.engine.dispose()

        def cap(connection: Any, _record: Any) -> None:
            connection.execute(f"PRAGMA max_page_count={limit}")

        event.listen(database.engine, "connect", cap)

        def free() -> None:
            if event.contains(database.engine, "connect", cap):
                event.remove(database.engine, "connect", cap)
            database.engine.dispose()

        undo.append(free)
        return free

    yield fill
    for free in undo:
        free()
