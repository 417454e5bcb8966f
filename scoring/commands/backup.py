"""`python -m scoring backup`: a consistent copy of the database while the app runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from scoring.settings import read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("file", type=Path, help="new file to write; must not exist yet")


def run(args: argparse.Namespace) -> int:
    """Copy the database of EVENHAND_DATA_DIR."""
    from db.backup import backup

    target = backup(read_settings().url, args.file)
    print(f"{target}: {target.stat().st_size:,} bytes. It holds learners' answers: keep it as safe as the database.")
    return 0
