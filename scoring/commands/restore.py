"""`python -m scoring restore`: put a backup in the place of the database. Stop the app first."""

from __future__ import annotations

import argparse
from pathlib import Path

from scoring.settings import read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("file", type=Path, help="a file that `backup` wrote")


def run(args: argparse.Namespace) -> int:
    """Restore, and bring an older backup to this program's schema."""
    from db.backup import restore
    from db.engine import Database
    from db.schema import migrate

    settings = read_settings()
    kept = restore(settings.url, args.file)
    if kept is not None:
        print(f"The database that was there is kept as {kept}.")
    database = Database(settings.url)
    try:
        migrate(database, settings.backup_dir)
    finally:
        database.close()
    print(f"Restored {args.file}.")
    return 0
