"""The schema is the models' own, safe to make twice or at once, and copied before it changes."""

from __future__ import annotations

import multiprocessing
import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError, StatementError

from db import schema
from db.engine import Database
from db.schema import current_revision, migrate, newest_revision
from db.tables import Base, Learner, Section, SignInAttempt
from scoring.errors import EvenhandError

OLDER = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {down!r}
branch_labels = None
depends_on = None


def upgrade() -> None:
{body}
"""


def _older_program(folder: Path, *steps: str) -> Path:
    """A migrations folder like ours with revisions of its own, t1, t2, …; each step is code for `upgrade`."""
    (folder / "versions").mkdir(parents=True, exist_ok=True)
    (folder / "env.py").write_text((schema.MIGRATIONS / "env.py").read_text())
    for number, step in enumerate(steps, 1):
        down = f"t{number - 1}" if number > 1 else None
        body = "\n".join(f"    {line}" for line in step.splitlines())
        text = OLDER.format(revision=f"t{number}", down=down, body=body)
        (folder / "versions" / f"t{number}.py").write_text(text)
    return folder


FIRST = """op.create_table("words", sa.Column("word", sa.String))
op.create_table("audit_events", sa.Column("id", sa.Integer))
op.execute("INSERT INTO words VALUES ('kept')")"""
SECOND = """op.create_table("more_words", sa.Column("word", sa.String))"""
BROKEN = SECOND + '\nop.execute("DELETE FROM words")\nop.execute("this is no SQL")'


def _words(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        return [row[0] for row in connection.execute("SELECT word FROM words")]


def _migrate_in_process(path: Path, start: multiprocessing.synchronize.Barrier, folder: Path | None = None) -> None:
    if folder is not None:
        schema.MIGRATIONS = folder
    database = Database(f"sqlite:///{path}")
    start.wait(30)
    migrate(database, path.parent / "backups")
    database.close()


def _migrate_at_once(path: Path, processes: int, folder: Path | None = None) -> list[int | None]:
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(processes)
    running = [context.Process(target=_migrate_in_process, args=(path, start, folder)) for _ in range(processes)]
    for process in running:
        process.start()
    for process in running:
        process.join(60)
    return [process.exitcode for process in running]


def test_migrations_make_exactly_the_schema_of_the_models(fresh_db: Database) -> None:
    with fresh_db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda _o, _n, kind, reflected, other: (
                    not (kind == "table" and reflected and other is None)
                ),
            },
        )
        assert compare_metadata(context, Base.metadata) == []
    assert current_revision(fresh_db) == newest_revision()


def test_migrating_again_changes_nothing_and_backs_nothing_up(fresh_db: Database, tmp_path: Path) -> None:
    def dump() -> list[str]:
        with sqlite3.connect(tmp_path / "var" / "evenhand.db") as connection:
            return list(connection.iterdump())

    before = dump()
    assert migrate(fresh_db, tmp_path / "backups") is None
    assert dump() == before
    assert not (tmp_path / "backups").exists()


def test_the_job_engines_tables_come_with_the_schema(fresh_db: Database) -> None:
    with fresh_db.engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master WHERE name = 'workflow_status'")
        assert found.scalar_one() == 1


def test_processes_that_migrate_the_same_new_file_at_once_all_succeed(tmp_path: Path) -> None:
    path = tmp_path / "evenhand.db"
    assert _migrate_at_once(path, 3) == [0, 0, 0]
    database = Database(f"sqlite:///{path}")
    assert current_revision(database) == newest_revision()
    database.close()


def test_an_upgrade_copies_the_old_database_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _older_program(tmp_path / "program", FIRST)
    monkeypatch.setattr(schema, "MIGRATIONS", folder)
    database = Database(f"sqlite:///{tmp_path / 'evenhand.db'}")
    assert migrate(database, tmp_path / "backups") is None, "a new database has nothing to copy"
    _older_program(folder, FIRST, SECOND)
    saved = migrate(database, tmp_path / "backups")
    assert saved is not None
    assert saved.parent == tmp_path / "backups"
    assert current_revision(database) == "t2"
    database.close()
    copy = Database(f"sqlite:///{saved}")
    assert current_revision(copy) == "t1"
    copy.close()
    assert _words(saved) == ["kept"]


def test_a_failed_upgrade_leaves_the_database_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _older_program(tmp_path / "program", FIRST)
    monkeypatch.setattr(schema, "MIGRATIONS", folder)
    database = Database(f"sqlite:///{tmp_path / 'evenhand.db'}")
    migrate(database, tmp_path / "backups")
    _older_program(folder, FIRST, BROKEN)
    with pytest.raises(Exception, match="syntax error"):
        migrate(database, tmp_path / "backups")
    assert current_revision(database) == "t1"
    assert _words(tmp_path / "evenhand.db") == ["kept"]
    database.close()


def test_processes_that_upgrade_the_same_old_file_at_once_all_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _older_program(tmp_path / "program", FIRST)
    monkeypatch.setattr(schema, "MIGRATIONS", folder)
    database = Database(f"sqlite:///{tmp_path / 'evenhand.db'}")
    migrate(database, tmp_path / "backups")
    database.close()
    _older_program(folder, FIRST, SECOND)
    assert _migrate_at_once(tmp_path / "evenhand.db", 2, folder) == [0, 0]
    for saved in (tmp_path / "backups").iterdir():
        assert _words(saved) == ["kept"]


def test_a_database_of_a_newer_program_is_refused_in_words_and_left_alone(fresh_db: Database, tmp_path: Path) -> None:
    with fresh_db.write() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(EvenhandError, match="9999"):
        migrate(fresh_db, tmp_path / "backups")
    assert current_revision(fresh_db) == "9999"


def test_every_connection_checks_foreign_keys_and_writes_ahead(fresh_db: Database) -> None:
    with fresh_db.read() as one, fresh_db.read() as other:
        for session in (one, other):
            connection = session.connection()
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
            assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() >= 5_000


def test_a_row_that_points_nowhere_is_refused(fresh_db: Database) -> None:
    with pytest.raises(IntegrityError), fresh_db.write() as session:
        session.add(Section(name="Period 1", created_by=12345))


@pytest.mark.parametrize("error", [RuntimeError("in the middle"), KeyboardInterrupt()])
def test_write_rolls_back_everything_on_any_error(fresh_db: Database, error: BaseException) -> None:
    def fail_half_way() -> None:
        with fresh_db.write() as session:
            session.add(Learner(name="half"))
            session.flush()
            raise error

    with pytest.raises(type(error)):
        fail_half_way()
    with fresh_db.read() as session:
        assert session.scalar(select(func.count()).select_from(Learner)) == 0


def test_read_never_changes_anything(fresh_db: Database) -> None:
    with fresh_db.read() as session:
        session.add(Learner(name="by accident"))
        session.flush()
    with fresh_db.read() as session:
        assert session.scalar(select(func.count()).select_from(Learner)) == 0


def test_read_sees_one_snapshot_while_others_write(fresh_db: Database) -> None:
    count = select(func.count()).select_from(Learner)
    with fresh_db.read() as reader:
        assert reader.scalar(count) == 0
        with fresh_db.write() as writer:
            writer.add(Learner(name="new"))
        assert reader.scalar(count) == 0
    with fresh_db.read() as reader:
        assert reader.scalar(count) == 1


def test_a_time_without_a_zone_is_refused(fresh_db: Database) -> None:
    with pytest.raises(StatementError, match="without a zone"), fresh_db.write() as session:
        session.add(SignInAttempt(key="k", at=datetime(2026, 1, 1)))


def test_times_come_back_in_utc_to_the_microsecond(fresh_db: Database) -> None:
    elsewhere = datetime(2026, 3, 29, 1, 59, 59, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    with fresh_db.write() as session:
        session.add(SignInAttempt(key="k", at=elsewhere))
    with fresh_db.read() as session:
        found = session.scalar(select(SignInAttempt.at))
    assert found == elsewhere
    assert found is not None
    assert found.tzinfo is UTC
