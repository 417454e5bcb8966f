"""The connection: one place that knows how each database wants to be talked to."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from scoring.errors import StorageFull

BUSY_TIMEOUT_MS = 30_000


class Database:
    """A database by URL. `read()` sees one snapshot; `write()` takes the write lock at once and commits at the end.

    Nothing read inside `write()` can change before it commits: SQLite transactions begin IMMEDIATE.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _sqlite_engine(url) if url.startswith("sqlite") else create_engine(url, pool_pre_ping=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; whatever it changes is rolled back."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are committed together, or not at all.

        Raises:
            StorageFull: the disk took no more bytes; nothing of the transaction was kept.
        """
        with Session(self.engine) as session:
            session.connection(execution_options={"writes": True})
            try:
                yield session
                session.commit()
            except DBAPIError as error:
                session.rollback()
                if is_disk_full(error):
                    raise StorageFull(
                        "The disk is full, so nothing was saved. Free some space, then try again."
                    ) from error
                raise

    def flush_log(self) -> None:
        """Bring what was written into the file itself, so that erased text is not left in SQLite's log."""
        if self.engine.dialect.name == "sqlite":
            with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


@contextmanager
def foreign_keys_off(connection: Connection) -> Iterator[None]:
    """Let a migration rebuild a table; with the check on, SQLite would delete whatever points at the dropped one.

    Enter it before the transaction begins. Other databases rebuild nothing, and keep checking.
    """
    raw = connection.connection.driver_connection
    if connection.dialect.name != "sqlite" or raw is None:
        yield
        return
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        raw.execute("PRAGMA foreign_keys=ON")


def is_disk_full(error: DBAPIError) -> bool:
    """Whether the driver says that no space is left."""
    original = error.orig
    code = getattr(original, "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_FULL or "No space left" in str(original)


def sqlite_path(url: str) -> Path | None:
    """The file behind a SQLite URL; `None` for another database."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return Path(parsed.database)


def _sqlite_engine(url: str) -> Engine:
    path = sqlite_path(url)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling starts writes too late; `_begin` below does it.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        _write_ahead(cursor)
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA secure_delete=ON")  # what is erased is overwritten
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Switch to write-ahead logging; SQLite's own busy timeout does not cover the switch of a new file."""
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
