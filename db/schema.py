"""Bringing a database to the schema of this code: back up, then migrate, in one locked transaction."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from dbos import run_dbos_database_migrations

from db.backup import backup
from db.engine import Database, sqlite_path

logger = logging.getLogger(__name__)
MIGRATIONS = Path(__file__).parent / "migrations"


def alembic_config() -> Config:
    """Alembic's configuration without a file: the folder of migrations is all it needs."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config


def newest_revision() -> str:
    """The revision that this code needs."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    assert head is not None
    return head


def current_revision(database: Database) -> str | None:
    """The revision a database is at; `None` for an empty one."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def migrate(database: Database, backup_dir: Path) -> Path | None:
    """Bring a database to the newest revision, and the job engine's tables to theirs.

    A database that holds something is copied to `backup_dir` first. A failed migration leaves the
    database as it was.

    Returns:
        The backup that was made, or `None` where nothing had to be migrated or nothing was there.
    """
    before, target = current_revision(database), newest_revision()
    saved = None
    if before != target:
        if before is not None and sqlite_path(database.url) is not None:
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
            saved = backup(database.url, backup_dir / f"before-{target}-{stamp}.db")
            logger.info("Backed up to %s before migrating from %s to %s.", saved, before, target)
        config = alembic_config()
        with database.engine.connect().execution_options(writes=True) as connection, connection.begin():
            # Two processes may start at once: whoever waited for the lock finds the work done.
            if MigrationContext.configure(connection).get_current_revision() != target:
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
    run_dbos_database_migrations(system_database_url=database.url)
    return saved
