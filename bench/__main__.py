"""`make bench`: each measurement as a ratio within one run, so that it says the same on another machine.

    python -m bench [NAME ...] [--quick]

Results go to bench/results/NAME.json and to the console.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

import scoring.cores  # noqa: F401  must come before PyTorch

MEASUREMENTS = {
    "matrix": "students, teachers and rivals on ASAP-SAS: rows that are cached are not run again",
    "engine": "scoring: precision, batching, duplicates",
    "classfile": "a class file of 50,000 rows: reading, checking, saving, the table",
    "review": "a step of the review with 50,000 answers, against 500",
    "keyboard": "30 answers reviewed in a browser by keyboard alone, with 50,000 in the database",
    "adaptation": "a new task from few labels, on tasks that the base student never saw, against its rivals",
    "checks": "response checks and urgent signs: precision and recall",
    "alike": "groups of alike answers: how people scored them, and how fast",
    "explain": "explanations: are the highlights true of the model, by method",
    "explain_speed": "explanations: how long a teacher waits",
    "why": "asking why in a browser: from the click to the highlights",
}
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Run the measurements that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure speed and memory.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(MEASUREMENTS)}; default all")
    parser.add_argument("--quick", action="store_true", help="a small size, to see that it runs")
    args = parser.parse_args()
    unknown = set(args.names) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(MEASUREMENTS)}")
    RESULTS.mkdir(exist_ok=True)
    for name in args.names or MEASUREMENTS:
        print(f"\n{name}: {MEASUREMENTS[name]}", flush=True)
        rows = importlib.import_module(f"bench.{name}").measure(quick=args.quick)
        print(table(rows), flush=True)
        (RESULTS / f"{name}.json").write_text(json.dumps({"quick": args.quick, "rows": rows}, indent=1) + "\n")
    return 0


def table(rows: list[dict[str, object]]) -> str:
    """Rows as a Markdown table; the keys of the first row are the headings."""
    headings = list(rows[0])
    lines = [f"| {' | '.join(headings)} |", f"|{'---|' * len(headings)}"]
    lines += [f"| {' | '.join(_cell(row[heading]) for heading in headings)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
