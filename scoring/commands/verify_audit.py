"""`python -m scoring verify-audit`: recompute the chain of audit events."""

from __future__ import annotations

import argparse
import sys

from scoring.settings import read_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command takes nothing."""


def run(args: argparse.Namespace) -> int:
    """Print the verdict; 0 when the chain is whole, 1 when it is not."""
    from db.engine import Database
    from scoring.services.audit import verify_chain

    database = Database(read_settings().url)
    try:
        report = verify_chain(database)
    finally:
        database.close()
    if report.intact:
        print(f"The audit log is whole: {report.events:,} events.")
        return 0
    print(f"The audit log is broken at event {report.broken_at}: {report.reason}.", file=sys.stderr)
    return 1
