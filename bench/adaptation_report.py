"""The adaptation benchmark as a table and a plot, from the cells that were run; what was not run says so.

python -m bench.adaptation_report
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from bench.__main__ import table
from bench.adaptation import DRAWS, SIZES, cells_of
from bench.adaptation_data import ground_labels, task_ids
from bench.adaptation_methods import METHODS
from bench.matrix.report import COLOURS, MARKERS
from bench.tables import write_block
from scoring import weighted
from scoring.agreement import percentile_interval

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "pictures" / "adaptation-curve.svg"
REPLICATES = 500
LESS = "ours-without-"
Cells = dict[str, dict[str, Any]]


def rows_of(*, quick: bool = False) -> list[dict[str, object]]:
    """One row a method: mean QWK at each size, with an interval over answers and draws."""
    tasks = task_ids(quick=quick)
    rows: list[dict[str, object]] = []
    for method, (title, _, _) in METHODS.items():
        if method.startswith(LESS):
            continue
        cells = cells_of(method, quick)
        row: dict[str, object] = {"method": title}
        for size in SIZES:
            found = summary(cells, tasks, size, quick=quick)
            row[f"{size} labels"] = "not run" if found is None else found["text"]
        most = max((int(key.split("/")[1]) for key in cells), default=0)
        times = [cell["cpu_seconds"] for key, cell in cells.items() if key.split("/")[1] == str(most)]
        added = [cell["added_bytes"] for cell in cells.values() if cell.get("added_bytes")]
        changed = [cell["levels_changed"] for cell in cells.values() if "levels_changed" in cell]
        row["CPU s (at labels)"] = f"{np.median(times):.1f} ({most})" if times else "–"
        row["kB added"] = f"{np.median(added) / 1000:.0f}" if added else "–"
        row["old tasks' levels moved"] = f"{np.mean(changed):.1%}" if changed else "–"
        rows.append(row)
    return rows


def rows_apart(ours: str, heading: str, *, quick: bool = False) -> list[dict[str, object]]:
    """One row a rival: how far one of our methods is ahead of it, on the cells that both have."""
    return [
        {heading: title} | {f"{size} labels": _worth(method, size, ours=ours, quick=quick)[1] for size in SIZES}
        for method, (title, _, _) in METHODS.items()
        if method != ours and not method.startswith(LESS)
    ]


def rows_without(*, size: int = 64, quick: bool = False) -> list[dict[str, object]]:
    """One row a thing left out of ours: mean QWK, and what the thing is worth on the same draws and answers."""
    rows: list[dict[str, object]] = []
    for method, (title, _, _) in METHODS.items():
        if method.startswith(LESS):
            mean, worth = _worth(method, size, quick=quick)
            title = title.removeprefix("ours, heads alone, ")
            rows.append({f"heads alone at {size} labels": title, "mean QWK": mean, "what it is worth": worth})
    return rows


def _worth(method: str, size: int, *, quick: bool, ours: str = "ours-quick") -> tuple[str, str]:
    """A method's mean QWK, and that of ours less it, with an interval: on the cells that both have."""
    whole, less = cells_of(ours, quick), cells_of(method, quick)
    means, apart, cells = [], [], 0
    generator = np.random.default_rng(0)
    tasks = task_ids(quick=quick)
    for task_id in tasks:
        keys = [key for number in range(DRAWS) if (key := f"{task_id}/{size}/{number}") in less and key in whole]
        if keys:
            own, theirs = (np.array([list(map(int, of[key]["levels"])) for key in keys]) for of in (whole, less))
            means.append(np.mean([less[key]["qwk"] for key in keys]))
            apart.append(_apart(ground_labels(task_id, quick=quick), own, theirs, generator))
            cells += len(keys)
    if not means:
        return "not run", "not run"
    interval = percentile_interval(np.nanmean(np.array(apart)[:, 1:], axis=0))
    worth = float(np.mean(np.array(apart)[:, 0]))
    share = "" if cells == DRAWS * len(tasks) else f" [{cells} cells]"
    return f"{np.mean(means):.3f}{share}", f"{worth:+.3f} ({interval.low:+.3f} to {interval.high:+.3f}){share}"


def _apart(human: np.ndarray, ours: np.ndarray, theirs: np.ndarray, generator: np.random.Generator) -> list[float]:
    """QWK of ours less that of theirs, mean over draws: as measured, then on resampled draws and answers."""
    counts = int(max(human.max(), ours.max(), theirs.max())) + 1

    def mean(of: np.ndarray, at: np.ndarray, weights: np.ndarray) -> float:
        return float(np.mean([weighted.kappas(weighted.tables(human, of[d], counts, weights))[0] for d in at]))

    every, even = np.arange(len(ours)), np.ones((1, len(human)), np.float32)
    found = [mean(ours, every, even) - mean(theirs, every, even)]
    for _ in range(REPLICATES):
        drawn = np.bincount(generator.integers(0, len(human), len(human)), minlength=len(human)).astype(np.float32)
        picked = generator.integers(0, len(ours), len(ours))
        found.append(mean(ours, picked, drawn[None]) - mean(theirs, picked, drawn[None]))
    return found


def summary(cells: Cells, tasks: Sequence[str], size: int, *, quick: bool) -> dict[str, Any] | None:
    """Mean over tasks of the mean over draws; the interval resamples draws and val answers, tasks held fixed."""
    means, resampled, there = [], [], 0
    generator = np.random.default_rng(0)
    for task_id in tasks:
        own = [cells[key] for number in range(DRAWS) if (key := f"{task_id}/{size}/{number}") in cells]
        if not own:
            continue
        there += len(own)
        human = ground_labels(task_id, quick=quick)
        levels = np.array([list(map(int, cell["levels"])) for cell in own])
        means.append(float(np.mean([cell["qwk"] for cell in own])))
        counts = int(max(human.max(), levels.max())) + 1
        series = []
        for _ in range(REPLICATES):
            drawn = np.bincount(generator.integers(0, len(human), len(human)), minlength=len(human)).astype(np.float32)
            picked = generator.integers(0, len(own), len(own))
            series.append(
                np.mean([weighted.kappas(weighted.tables(human, levels[at], counts, drawn[None]))[0] for at in picked])
            )
        resampled.append(series)
    if not means:
        return None
    interval = percentile_interval(np.nanmean(np.array(resampled), axis=0))
    share = "" if there == len(tasks) * DRAWS else f" [{there} of {len(tasks) * DRAWS} cells]"
    mean = float(np.mean(means))
    return {
        "mean": mean, "low": interval.low, "high": interval.high, "cells": there,
        "text": f"{mean:.3f} ({interval.low:.3f} to {interval.high:.3f}){share}",
    }  # fmt: skip


def plot(path: Path) -> None:
    """Mean QWK against labels, of every method with cells at two sizes or more."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "adaptation"
    tasks = task_ids(quick=False)
    figure, axes = plt.subplots(figsize=(9, 4.2), layout="constrained")
    looks = zip(cycle(MARKERS), cycle(COLOURS), strict=False)
    for method, (title, _, _) in METHODS.items():
        cells = {} if method.startswith(LESS) else cells_of(method, False)
        points = [(size, found) for size in SIZES if (found := summary(cells, tasks, size, quick=False))]
        if len(points) < 2:
            continue
        x = [size for size, _ in points]
        y = [found["mean"] for _, found in points]
        error = [
            [found["mean"] - found["low"] for _, found in points],
            [found["high"] - found["mean"] for _, found in points],
        ]
        marker, colour = next(looks)
        axes.errorbar(x, y, yerr=error, marker=marker, color=colour, capsize=3, label=fill(title, 44))
    axes.set_xscale("log", base=2)
    axes.set_xticks(SIZES, [str(size) for size in SIZES])
    axes.set_xlabel("labelled answers")
    axes.set_ylabel("mean QWK on val, tasks new to the student")
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    """Write table and plot."""
    heads, delta = rows_apart("ours-quick", "heads alone, less"), rows_apart("ours", "ours with the delta, less")
    made, less = "\n\n".join(table(rows) for rows in (rows_of(), heads, delta)), table(rows_without())
    write_block("adaptation", made)
    write_block("adaptation without", less)
    plot(PICTURE)
    print(made, less, sep="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
