"""`python -m scoring load`: publish the tasks of an item bank folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from scoring.settings import read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("folder", type=Path, help="item bank folder: tasks.json and responses.csv")


def run(args: argparse.Namespace) -> int:
    """Load; a task whose text changed gets a new version, the same folder again changes nothing."""
    from db.engine import Database
    from db.schema import migrate
    from scoring.services.tasks import load_item_bank

    settings = read_settings()
    database = Database(settings.url)
    try:
        migrate(database, settings.backup_dir)
        versions, examples = load_item_bank(database, args.folder)
    finally:
        database.close()
    print(f"{versions} task versions and {examples} labelled answers added.")
    return 0
