"""Students, teachers and rivals on ASAP-SAS: trained, measured and compared by the command.

    python -m bench matrix [--quick]        all rows that aren't cached, in a process each
    python -m bench.matrix.row NAME         one row
    python -m bench.matrix.report           the tables into README.md, the plots into docs/pictures

A row is cached by the hash of data, settings, seed and teachers; a killed row goes on where it
stopped. The full size takes about 40 minutes a trained row on two CPU cores.
"""

from __future__ import annotations

import subprocess
import sys

from bench.matrix.systems import SYSTEMS

QUICK = ("no-moe", "moe-hard", "lora-per-task", "per-task")
"""Rows of the quick size: those that need no teacher's file."""


def measure(*, quick: bool) -> list[dict[str, object]]:
    """Run every row that isn't cached, the first seed of all systems before the second of any."""
    from bench.matrix.report import rows_of

    wanted = [system for system in SYSTEMS if not quick or system.name in QUICK]
    for seed in sorted({seed for system in wanted for seed in system.seeds}):
        for system in wanted:
            if seed in system.seeds and not (quick and seed):
                command = [sys.executable, "-m", "bench.matrix.row", system.name, "--seed", str(seed)]
                subprocess.run([*command, *(["--quick"] if quick else [])], check=True)
    return rows_of(quick=quick)
