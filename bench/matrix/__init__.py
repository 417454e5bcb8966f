"""Students, teachers and rivals on ASAP-SAS: trained, measured and compared by the command.

    python -m bench matrix [--quick]        all rows that aren't cached, in a process each
    python -m bench.matrix.row NAME         one row
    python -m bench.matrix.report           the tables into README.md, the plots into docs/pictures

A row is cached by the hash of data, settings, seed and teachers; a killed row goes on where it
stopped. The full size takes about a quarter of an hour a trained row on one core; as many rows
run side by side as there are cores, since two threads on one small model mostly wait for each other.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from bench.matrix.systems import SYSTEMS, System

QUICK = ("no-moe", "moe-hard", "worded-hard", "lora-per-task", "per-task")
"""Rows of the quick size: those that need no teacher's file."""

MOST_AT_ONCE = 4
"""Rows that run side by side at most; each takes about 4 GB."""


def measure(*, quick: bool) -> list[dict[str, object]]:
    """Run every row that isn't cached, the first seed of all systems before the second of any."""
    from bench.matrix.report import rows_of

    wanted = [system for system in SYSTEMS if not quick or system.name in QUICK]
    runs = [
        (system, seed)
        for seed in sorted({seed for system in wanted for seed in system.seeds})
        for system in wanted
        if seed in system.seeds and not (quick and seed)
    ]
    one_core = {**os.environ, "OMP_NUM_THREADS": "1"}

    def run(system: System, seed: int) -> None:
        command = [sys.executable, "-m", "bench.matrix.row", system.name, "--seed", str(seed)]
        subprocess.run([*command, *(["--quick"] if quick else [])], check=True, env=one_core)

    with ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_AT_ONCE)) as pool:
        for with_base in (False, True):  # a base is trained once, before what stands on it
            for _ in pool.map(lambda of: run(*of), [of for of in runs if bool(of[0].base) is with_base]):
                pass
    return rows_of(quick=quick)
