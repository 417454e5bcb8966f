"""`python -m scoring describe`: what an item bank holds, in figures."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("folder", type=Path, help="item bank folder")


def run(args: argparse.Namespace) -> int:
    """Print the report as Markdown."""
    from scoring.bank_report import report
    from scoring.itembank import read_item_bank

    print(report(read_item_bank(args.folder)))
    return 0
