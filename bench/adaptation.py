"""A new task from few labels: our way and its rivals, on tasks that the base student never saw.

    python -m bench adaptation [--quick]                     all cells that aren't cached, then the table
    python -m bench.adaptation [--methods A,B] [--sizes 16,64] [--draws 3] [--minutes 20]
    python -m bench.adaptation_report                        table and plot into bench/README.md

Two base students are trained on five ASAP-SAS tasks each and given the other five one at a time. A cell
is one method on one task with one draw of labels, measured on the task's `val` answers; it is kept under
the hash of what decided it, so the table can grow over sittings.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from bench import adaptation_setfit
from bench.adaptation_data import (
    POOL,
    TRAIN,
    Sight,
    base_is_there,
    base_names,
    data_hash,
    ground,
    grounds,
    read_json,
)
from bench.adaptation_methods import METHODS, OURS
from scoring.agreement import quadratic_weighted_kappa
from scoring.domain import content_hash

RESULTS = Path(__file__).resolve().parent / "results" / "adaptation"
SIZES = (16, 64, 256)
DRAWS = 3


def measure(*, quick: bool) -> list[dict[str, object]]:
    """Run what isn't cached, and give the table."""
    from bench.adaptation_report import rows_of

    run_cells(list(METHODS), (16,) if quick else SIZES, 1 if quick else DRAWS, quick=quick)
    return rows_of(quick=quick)


def run_cells(
    methods: Sequence[str], sizes: Sequence[int], draws: int, *, quick: bool = False, minutes: float | None = None
) -> int:
    """Run cells, the first draw of every task before the second of any; returns how many were run."""
    started, ran = time.monotonic(), 0
    if "setfit" in methods and not adaptation_setfit.is_there():
        print(adaptation_setfit.MISSING, file=sys.stderr)
        methods = [method for method in methods if method != "setfit"]
    for name, task_id in grounds(quick=quick):
        if not base_is_there(name, quick=quick) and minutes is not None:
            continue
        at = ground(name, task_id, quick=quick)
        there = {method: cells_of(method, quick) for method in methods}
        wanted = [
            (method, size, number)
            for number in range(draws)
            for size in sizes
            for method in methods
            if f"{task_id}/{size}/{number}" not in there[method]
        ]
        if not wanted:
            continue
        sight = Sight(at, OURS)
        for method, size, number in wanted:
            if minutes is not None and time.monotonic() - started > 60 * minutes:
                return ran
            if size > len(at.train):
                continue
            labelled, pool = at.draw(size, number)
            began, spent = time.monotonic(), _cpu_seconds()
            found = METHODS[method][1](at, sight, labelled, pool, number)
            human = at.labels(list(range(len(at.train), len(at.rows))))
            qwk = round(float(quadratic_weighted_kappa(human, found.levels)), 4)
            keep(
                method, task_id, size, number, quick,
                {
                    "identity": identity(method, at.base.name, quick),
                    "qwk": qwk,
                    "levels": "".join(map(str, found.levels.tolist())),
                    "seconds": round(time.monotonic() - began, 2), "cpu_seconds": round(_cpu_seconds() - spent, 2),
                    **found.more,
                },
            )  # fmt: skip
            ran += 1
            print(method, task_id, size, number, qwk, file=sys.stderr, flush=True)
    return ran


def _cpu_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


def identity(method: str, base: str, quick: bool) -> str:
    """Hash of all that decides a cell besides its task, size and draw."""
    settings = dict(METHODS[method][2])
    return content_hash(
        {"method": method, "settings": settings, "base": base, "data": data_hash(quick), "pool": POOL, "train": TRAIN}
    )[:12]


def path_of(method: str, quick: bool) -> Path:
    """The file of a method's cells."""
    return RESULTS / f"{'quick-' if quick else ''}{method}.json"


def cells_of(method: str, quick: bool) -> dict[str, dict[str, Any]]:
    """What was kept and is what a run would give today, by `task/size/draw`."""
    bases = base_names(quick=quick)
    today = {task_id: identity(method, base, quick) for task_id, base in bases.items()}
    return {key: cell for key, cell in _kept(method, quick).items() if cell["identity"] == today.get(_task_of(key))}


def _kept(method: str, quick: bool) -> dict[str, dict[str, Any]]:
    return dict(read_json(path_of(method, quick)).get("cells", {}))  # type: ignore[call-overload]


def _task_of(key: str) -> str:
    return key.rsplit("/", 2)[0]


def keep(method: str, task_id: str, size: int, number: int, quick: bool, found: Mapping[str, Any]) -> None:
    """Write a cell, whole or not at all."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    cells = {**_kept(method, quick), f"{task_id}/{size}/{number}": dict(found)}
    path = path_of(method, quick)
    partial = path.with_suffix(f".partial-{os.getpid()}")
    partial.write_text(json.dumps({"method": METHODS[method][0], "cells": cells}, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, path)


def main() -> int:
    """Some of the cells, for as long as there is time."""
    parser = argparse.ArgumentParser(prog="python -m bench.adaptation", description="Run cells that aren't cached.")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--minutes", type=float, help="stop before the next cell after so long")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    ran = run_cells(
        args.methods.split(","), [int(size) for size in args.sizes.split(",")], args.draws, minutes=args.minutes
    )
    print(f"{ran} cells")
    return 0


if __name__ == "__main__":
    sys.exit(main())
