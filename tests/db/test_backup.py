"""A backup is whole while others write; a restore never leaves less than there was."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db import backup as backup_module
from db.backup import backup, restore
from db.engine import Database
from db.tables import AuditEvent, Learner
from scoring.errors import Conflict, InvalidFile, InvalidInput
from scoring.settings import ROOT
from tests.conftest import School


def _dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def _file(database: Database) -> Path:
    return Path(database.engine.url.database or "")


def _add(database: Database, *names: str) -> None:
    with database.write() as session:
        session.add_all(Learner(name=name) for name in names)


def _names(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT name FROM learners ORDER BY id")]


def test_a_backup_taken_while_others_write_holds_only_whole_transactions(fresh_db: Database, tmp_path: Path) -> None:
    stop, written = threading.Event(), threading.Event()

    def write_pairs() -> None:
        number = 0
        while not stop.is_set():
            _add(fresh_db, f"pair-{number}", f"pair-{number}")
            number += 1
            if number == 3:
                written.set()

    writer = threading.Thread(target=write_pairs)
    writer.start()
    try:
        assert written.wait(30)
        copies = [backup(fresh_db.url, tmp_path / f"copy-{number}.db") for number in range(5)]
    finally:
        stop.set()
        writer.join(30)
    for copy in copies:
        names = _names(copy)
        assert len(names) >= 6
        assert names[::2] == names[1::2]


def test_a_backup_is_readable_by_its_owner_only(fresh_db: Database, tmp_path: Path) -> None:
    copy = backup(fresh_db.url, tmp_path / "new" / "copy.db")
    assert copy.stat().st_mode & 0o077 == 0
    assert [path.name for path in copy.parent.iterdir()] == ["copy.db"], "no leftovers beside it"


def test_an_existing_file_is_never_written_over(fresh_db: Database, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("precious")
    with pytest.raises(InvalidInput, match="exists already"):
        backup(fresh_db.url, target)
    assert target.read_text() == "precious"


def test_a_missing_database_is_not_backed_up_as_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no database here"):
        backup(f"sqlite:///{tmp_path / 'nothing.db'}", tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_another_kind_of_database_is_left_to_its_own_tools(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="SQLite"):
        backup("postgresql://localhost/evenhand", tmp_path / "copy.db")


@pytest.mark.parametrize("name", ["week #3.db", "50%25 done?.db", "très bien & more.db"])
def test_backup_and_restore_work_with_any_file_name(fresh_db: Database, tmp_path: Path, name: str) -> None:
    _add(fresh_db, "Ann")
    copy = backup(fresh_db.url, tmp_path / name)
    target = tmp_path / "other" / "evenhand.db"
    restore(f"sqlite:///{target}", copy)
    assert _names(target) == ["Ann"]


def test_restoring_gives_back_exactly_what_was_saved(school: School, tmp_path: Path) -> None:
    school.upload()
    before = _dump(_file(school.database))
    copy = backup(school.database.url, tmp_path / "copy.db")
    school.upload(token="later", rows=[("s3", "Cy", "More.")])
    assert _dump(_file(school.database)) != before
    school.services.close()
    restore(school.database.url, copy)
    assert _dump(_file(school.database)) == before
    assert _dump(copy) == before


def test_what_a_restore_replaces_is_kept_whole(fresh_db: Database, tmp_path: Path) -> None:
    copy = backup(fresh_db.url, tmp_path / "copy.db")
    _add(fresh_db, "after the backup")
    fresh_db.close()
    first = restore(fresh_db.url, copy)
    second = restore(fresh_db.url, copy)
    assert first is not None
    assert second is not None
    assert first != second
    assert _names(first) == ["after the backup"]
    assert _names(_file(fresh_db)) == _names(second) == []


def test_restoring_where_nothing_is_keeps_nothing(fresh_db: Database, tmp_path: Path) -> None:
    copy = backup(fresh_db.url, tmp_path / "copy.db")
    assert restore(f"sqlite:///{tmp_path / 'new' / 'evenhand.db'}", copy) is None


@pytest.mark.parametrize("writing", [False, True])
def test_a_database_in_use_is_not_replaced(fresh_db: Database, tmp_path: Path, writing: bool) -> None:
    copy = backup(fresh_db.url, tmp_path / "copy.db")
    _add(fresh_db, "Ann")
    with fresh_db.write() if writing else fresh_db.read() as session:
        session.scalar(select(func.count()).select_from(Learner))
        with pytest.raises(Conflict, match="stop the app"):
            restore(fresh_db.url, copy)
    assert _names(_file(fresh_db)) == ["Ann"]


def test_an_idle_connection_of_a_running_app_counts_as_use(fresh_db: Database, tmp_path: Path) -> None:
    copy = backup(fresh_db.url, tmp_path / "copy.db")
    with fresh_db.read() as session:
        session.scalar(select(func.count()).select_from(Learner))
    with pytest.raises(Conflict, match="stop the app"):
        restore(fresh_db.url, copy)


def _damaged(copy: Path) -> None:
    content = bytearray(copy.read_bytes())
    content[4096 : 4096 * 6] = os.urandom(4096 * 5)
    copy.write_bytes(content)


def _cut_off(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[:10_000])


def _foreign(copy: Path) -> None:
    copy.unlink()
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("CREATE TABLE albums (title TEXT)")
        connection.commit()


def _empty(copy: Path) -> None:
    copy.write_bytes(b"")


def _no_database(copy: Path) -> None:
    copy.write_text("Dear diary, " * 1000)


@pytest.mark.parametrize("spoil", [_damaged, _cut_off, _foreign, _empty, _no_database, Path.unlink])
def test_a_file_that_is_no_whole_backup_is_refused(fresh_db: Database, tmp_path: Path, spoil: object) -> None:
    copy = backup(fresh_db.url, tmp_path / "copy.db")
    _add(fresh_db, "Ann")
    fresh_db.close()
    spoil(copy)  # type: ignore[operator]
    with pytest.raises(InvalidFile, match=r"copy\.db"):
        restore(fresh_db.url, copy)
    assert _names(_file(fresh_db)) == ["Ann"]


def test_a_database_is_not_restored_from_itself(fresh_db: Database) -> None:
    _add(fresh_db, "Ann")
    fresh_db.close()
    with pytest.raises(InvalidInput):
        restore(fresh_db.url, _file(fresh_db))
    assert _names(_file(fresh_db)) == ["Ann"]


def test_a_restore_that_fails_half_way_leaves_the_database_in_place(
    fresh_db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = backup(fresh_db.url, tmp_path / "copy.db")
    _add(fresh_db, "Ann")
    fresh_db.close()

    def full(_path: Path) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(backup_module, "_sync", full)
    with pytest.raises(OSError, match="No space"):
        restore(fresh_db.url, copy)
    assert _names(_file(fresh_db)) == ["Ann"]
    assert [path.name for path in _file(fresh_db).parent.iterdir()] == ["evenhand.db"]


# The command line -------------------------------------------------------------------------------------


def _command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "EVENHAND_DATA_DIR": str(folder), "EVENHAND_DATABASE_URL": ""}
    return subprocess.run(
        [sys.executable, "-m", "scoring", *words],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_commands_back_up_and_restore_over_a_running_apps_file(school: School, tmp_path: Path) -> None:
    folder, copy = tmp_path / "var", tmp_path / "copy.db"
    saved = _command(folder, "backup", str(copy))
    assert saved.returncode == 0, saved.stderr
    assert str(copy) in saved.stdout
    again = _command(folder, "backup", str(copy))
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "exists already" in again.stderr
    assert not school.services.accounts.needs_setup(), "the app has looked into its database"
    in_use = _command(folder, "restore", str(copy))
    assert in_use.returncode == 2
    assert "stop the app" in in_use.stderr
    school.upload()
    school.services.close()
    restored = _command(folder, "restore", str(copy))
    assert restored.returncode == 0, restored.stderr
    assert "replaced-1" in restored.stdout
    assert school.count("uploads") == 0


def test_the_audit_command_tells_a_whole_chain_from_a_broken_one(school: School, tmp_path: Path) -> None:
    whole = _command(tmp_path / "var", "verify-audit")
    assert whole.returncode == 0
    with school.database.write() as session:
        count = session.scalar(select(func.count()).select_from(AuditEvent))
        assert f"{count} events" in whole.stdout
        event = session.get(AuditEvent, 2)
        assert event is not None
        event.action = "nothing.happened"
    broken = _command(tmp_path / "var", "verify-audit")
    assert broken.returncode == 1
    assert "event 2" in broken.stderr
