"""The command line: `python -m scoring COMMAND ...`.

Each command is a module in `scoring.commands` with `add_arguments(parser)` and `run(args) -> int`.
Only the module of the command at hand is imported, so that a backup never waits for PyTorch.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

import scoring.cores  # noqa: F401  must come before PyTorch
from scoring.errors import EvenhandError

COMMANDS = {
    "teach": "train a teacher on an item bank folder and write its opinions for students to learn from",
    "train": "train a student on an item bank folder",
    "add-task": "add a task to a student from labelled answers, leaving its other tasks as they are",
    "score": "score a file of answers to one task",
    "explain": "show why one answer gets its scores: words, tested, and gates",
    "evaluate": "measure a student's agreement with labelled responses",
    "load": "publish the tasks of an item bank folder",
    "describe": "print what an item bank holds: levels, variety of texts, agreement of two ratings",
    "backup": "copy the database, consistent while the app runs",
    "restore": "put a backup in the place of the database; stop the app first",
    "verify-audit": "check that the audit log is whole",
}
"""Command -> one line of help. The module's name has `_` where the command has `-`."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 when it did its work, 2 when input or setting was wrong (the message is on standard error),
        130 when it was interrupted.
    """
    argv = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="python -m scoring", description="Evenhand's command line.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    wanted = next((word for word in argv if not word.startswith("-")), None)
    modules = {}
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == wanted:
            modules[name] = importlib.import_module(f"scoring.commands.{name.replace('-', '_')}")
            modules[name].add_arguments(command)
    args = parser.parse_args(argv)
    try:
        return int(modules[args.command].run(args))
    except EvenhandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
