"""The matrix as tables and plots, from the rows that were run; a row that was not run says so.

python -m bench.matrix.report
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

from bench.__main__ import table
from bench.matrix.row import RESULTS, data, run_is_current
from bench.matrix.systems import SYSTEMS, System, named
from bench.tables import write_block
from scoring.errors import InvalidInput
from scoring.itembank import LabelledResponse
from scoring.training.evaluation import interval_of_difference

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
"""Told apart with any colour vision (Okabe & Ito 2008)."""
MARKERS = "osD^vP*X<>h"
TEACHER_20B_BYTES = 20.9e9 * 2
"""A 20.9-billion-parameter teacher in bf16, as in the first paper."""


def records(system: System, *, quick: bool = False) -> list[dict[str, Any]]:
    """The seeds of a system that were run with today's settings."""
    found = []
    for seed in system.seeds:
        path = RESULTS / f"{system.name}-{seed}{'-quick' if quick else ''}.json"
        if path.is_file():
            record = json.loads(path.read_text(encoding="utf-8"))
            if run_is_current(system, seed, quick, record["identity"]):
                found.append(record)
    return found


def rows_of(
    *, quick: bool = False, groups: Sequence[str] = ("systems", "teachers", "ablation")
) -> list[dict[str, object]]:
    """One row a system: mean over seeds, and the first seed's interval."""
    rows: list[dict[str, object]] = []
    for system in SYSTEMS:
        if system.group not in groups:
            continue
        found = records(system, quick=quick)
        row: dict[str, object] = {"system": system.title, "seeds": f"{len(found)} of {len(system.seeds)}"}
        if not found:
            rows.append({**row, **dict.fromkeys(HEADINGS, "not run")})
            continue
        first = found[0]
        values = [record["mean_qwk"] for record in found]
        rows.append(
            {
                **row,
                "mean QWK": f"{np.mean(values):.3f}" + (f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""),
                "95% interval": f"{first['mean_qwk_low']:.3f} to {first['mean_qwk_high']:.3f}",
                "Fisher": f"{np.mean([record['fisher_qwk'] for record in found]):.3f}",
                "parameters": _short(first["parameters"]),
                "MB stored": _megabytes(first["stored_bytes"]),
                "MB merged": _megabytes(first["merged_bytes"]),
                "training": f"{first['train_seconds'] / 60:.0f} min",
                "peak memory": f"{max(record['peak_memory_bytes'] for record in found) / 1e9:.1f} GB",
                "answers/s, one core": f"{first['responses_per_second']:.0f}" if first["responses_per_second"] else "–",
            }
        )
    return rows


HEADINGS = (
    "mean QWK", "95% interval", "Fisher", "parameters", "MB stored", "MB merged", "training", "peak memory",
    "answers/s, one core",
)  # fmt: skip


def by_task() -> list[dict[str, object]]:
    """QWK per task, mean over seeds, of every system that was run."""
    rows: list[dict[str, object]] = []
    for system in SYSTEMS:
        found = records(system)
        if found and system.group != "ablation":
            kappas = {task: np.mean([record["qwk"][task] for record in found]) for task in found[0]["qwk"]}
            rows.append(
                {"system": system.title, **{t.removeprefix("asap-sas-"): f"{k:.2f}" for t, k in kappas.items()}}
            )
    return rows


def differences(reference: str, groups: Sequence[str]) -> list[dict[str, object]]:
    """One system less each of others: paired bootstrap on the same answers, first seeds."""
    held = records(named(reference))
    if not held:
        return []
    bank, tasks, _ = data(quick=False)
    rows = [row for row in bank.responses if row.fold == "val"]
    own = _levels(rows, held[0]["levels"], tasks)
    found: list[dict[str, object]] = []
    for system in SYSTEMS:
        others = records(system)
        if system.name == reference or system.group not in groups or not others:
            continue
        apart = interval_of_difference(rows, own, _levels(rows, others[0]["levels"], tasks))
        found.append(
            {
                f"{named(reference).title}, less": system.title,
                "difference in mean QWK": f"{apart.difference:+.3f}",
                "95% interval": f"{apart.low:+.3f} to {apart.high:+.3f}",
            }
        )
    return found


def _levels(
    rows: Sequence[LabelledResponse], digits: Mapping[str, str], tasks: Mapping[str, Any]
) -> list[dict[str, int]]:
    """Back from one digit per response and criterion."""
    left = {task: iter(text) for task, text in digits.items()}
    return [{criterion.id: int(next(left[row.task_id])) for criterion in tasks[row.task_id].criteria} for row in rows]


def plots() -> list[Path]:
    """Quality against storage, and expert use by task; the files written."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "evenhand"
    from matplotlib import pyplot as plt
    from matplotlib.ticker import FixedLocator, NullLocator

    PICTURES.mkdir(parents=True, exist_ok=True)
    written = []
    shown = [(s, records(s)[0]) for s in SYSTEMS if s.group != "ablation" and records(s)]
    stored = [(system, record) for system, record in shown if record["merged_bytes"]]
    if stored:
        figure, axes = plt.subplots(figsize=(9, 4.5), layout="constrained")
        best_first = sorted(stored, key=lambda of: -of[1]["mean_qwk"])
        for (system, record), marker, colour in zip(best_first, cycle(MARKERS), cycle(COLOURS), strict=False):
            low, high = record["mean_qwk_low"], record["mean_qwk_high"]
            x, y = record["merged_bytes"] / 1e6, record["mean_qwk"]
            axes.errorbar(
                x, y, [[y - low], [high - y]], fmt=marker, color=colour, capsize=3, markersize=7,
                label=f"{y:.3f}  {system.title}",
            )  # fmt: skip
        axes.set(xscale="log", xlabel="MB in bf16, all that is needed to score ten tasks", ylabel="mean QWK on val")
        axes.xaxis.set_major_locator(FixedLocator([50, 100, 200, 400]))
        axes.xaxis.set_major_formatter("{x:.0f}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid(alpha=0.3)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
        written.append(_save(figure, "matrix-storage.svg"))
    use: dict[str, list[list[float]]] = next(
        (record["expert_use_by_task"] for system, record in shown if system.name == "full"), {}
    )
    if use:
        layers = len(next(iter(use.values())))
        figure, panels = plt.subplots(1, layers, figsize=(4 * layers, 4), layout="constrained", squeeze=False)
        for layer, axes in enumerate(panels[0]):
            grid = np.array([weights[layer] for weights in use.values()])
            image = axes.imshow(grid, cmap="cividis", vmin=0, vmax=1, aspect="auto")
            for (y, x), weight in np.ndenumerate(grid):
                axes.text(
                    x, y, f"{weight:.2f}", ha="center", va="center", color="w" if weight < 0.6 else "k", fontsize=8
                )
            axes.set(title=f"layer {layer + 1}", xlabel="expert", xticks=range(grid.shape[1]))
            axes.set_yticks(range(len(use)), [task.removeprefix("asap-sas-") for task in use] if not layer else [])
        panels[0][0].set_ylabel("task")
        figure.colorbar(image, ax=panels, label="mean gate weight")
        written.append(_save(figure, "matrix-experts.svg"))
    return written


def _save(figure: Any, name: str) -> Path:
    path = PICTURES / name
    figure.savefig(path, metadata={"Date": None})
    return path


def ratios() -> str:
    """How much smaller one student is than ten, and than a 20.9B teacher."""
    held = {system.name: records(system) for system in SYSTEMS}
    if not held["full"] or not held["per-task"]:
        return "Storage ratios: not run yet."
    own = held["full"][0]["merged_bytes"]
    return (
        f"One bf16 file with everything needed to score ten tasks: {own / 1e6:.1f} MB, "
        f"{held['per-task'][0]['merged_bytes'] / own:.1f} times smaller than ten students, "
        f"{TEACHER_20B_BYTES / own:.0f} times smaller than a 20.9B teacher in bf16."
    )


def text() -> str:
    """All tables as Markdown."""
    parts = [table(rows_of(groups=("systems", "teachers"))), ratios()]
    for heading, rows in (
        ("QWK by task:", by_task()),
        ("Paired differences, first seeds:", differences("full", ("systems", "teachers"))),
        ("Ablations of the student, three epochs where nothing else is said:", rows_of(groups=("ablation",))),
        ("What each is worth, first seeds:", differences("short", ("ablation",))),
    ):
        if rows:
            parts += [heading, table(rows)]
    return "\n\n".join(parts)


def main() -> int:
    """Write tables and plots."""
    try:
        block = text()
    except InvalidInput as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    write_block("matrix", block)
    print(block)
    for path in plots():
        print(path.relative_to(ROOT))
    return 0


def _short(number: int) -> str:
    return f"{number / 1e6:.1f}M" if number else "–"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f}" if size else "–"


if __name__ == "__main__":
    sys.exit(main())
