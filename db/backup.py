"""Copies of the database that are consistent while others write, and putting one back."""

from __future__ import annotations

import itertools
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from db.engine import sqlite_path
from scoring.errors import Conflict, InvalidFile, InvalidInput


def backup(url: str, target: Path) -> Path:
    """Copy the database at `url` to the new file `target`, online and consistent.

    Raises:
        InvalidInput: not SQLite, no database there, or `target` exists already.
    """
    source = _require_sqlite(url)
    if not source.exists():
        raise InvalidInput(f"{source}: there is no database here to back up")
    if target.exists():
        raise InvalidInput(f"{target}: exists already; name another file")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(source, timeout=30)) as live, closing(sqlite3.connect(part)) as copy:
            live.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
        os.chmod(part, 0o600)
        _check(part)
        _sync(part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def restore(url: str, source: Path) -> Path | None:
    """Replace the database at `url` by the backup `source`; what was there is kept beside it.

    Returns:
        Where the replaced database went, or `None` if there was none.

    Raises:
        InvalidFile: `source` is missing or not an undamaged Evenhand backup.
        InvalidInput: `source` is the database itself.
        Conflict: the database is in use; stop the app first.
    """
    target = _require_sqlite(url)
    if not source.exists():
        raise InvalidFile(f"{source}: not found")
    if target.exists() and source.samefile(target):
        raise InvalidInput(f"{source}: this is the database in use, not a backup of it")
    _check(source)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    kept = None
    try:
        # The copy is whole before anything moves, so that a full disk leaves the database in its place.
        with closing(sqlite3.connect(source)) as saved, closing(sqlite3.connect(part)) as copy:
            saved.backup(copy)
        _sync(part)
        if target.exists():
            _require_unused(target)
            kept = _free_name(target)
            os.replace(target, kept)
        for suffix in ("-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return kept


def _free_name(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.replaced-{number}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())


def _require_sqlite(url: str) -> Path:
    path = sqlite_path(url)
    if path is None:
        raise InvalidInput("backup and restore are for SQLite; use the tools of your database server instead")
    return path


def _require_unused(path: Path) -> None:
    try:
        with closing(sqlite3.connect(path, timeout=0.2, isolation_level=None)) as connection:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
            # Fold the write-ahead log into the file, so that the kept copy is whole.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.OperationalError as error:
        raise Conflict(f"{path}: in use ({error}); stop the app and the worker, then restore") from error


def _check(path: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
            tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
    except sqlite3.DatabaseError as error:
        raise InvalidFile(f"{path}: not a readable database ({error})") from error
    if verdict != "ok":
        raise InvalidFile(f"{path}: damaged ({verdict})")
    if not {"alembic_version", "audit_events"} <= tables:
        raise InvalidFile(f"{path}: a database, but not one of Evenhand")


def _sync(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
