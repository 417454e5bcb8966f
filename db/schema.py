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
from sqlalchemy import Connection

from db.backup import backup
from db.engine import Database, foreign_keys_off, sqlite_path
from scoring.errors import Conflict

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

    Raises:
        Conflict: a newer program has migrated the database; it is left alone.
    """
    target = newest_revision()
    saved = None
    if current_revision(database) != target:
        config = alembic_config()
        with (
            database.engine.connect().execution_options(writes=True) as connection,
            foreign_keys_off(connection),
            connection.begin(),
        ):
            # Two processes may start at once: whoever waited for the lock finds the work done.
            before = MigrationContext.configure(connection).get_current_revision()
            if before != target:
                _require_known(before)
                if before is not None and sqlite_path(database.url) is not None:
                    # Under the lock, so that nothing is written between the copy and the change.
                    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
                    saved = backup(database.url, backup_dir / f"before-{target}-{stamp}.db")
                    logger.info("Backed up to %s before migrating from %s to %s.", saved, before, target)
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                _require_whole(connection)
    run_dbos_database_migrations(system_database_url=database.url)
    return saved


def _require_whole(connection: Connection) -> None:
    """Nothing may point nowhere after a migration, which ran without that check."""
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        assert broken is None, f"the migration left a row that points nowhere: {broken}"


def _require_known(revision: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise Conflict(
            f"The database is at revision {revision}, which this program does not know. "
            "Start the newer program that made it, or restore a backup from before."
        )
