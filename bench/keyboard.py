"""Reviewing 30 answers in a browser by keyboard alone: what the page takes, with 50,000 answers in the database.

The wait is from the key that decides to the next answer on the screen, the decision saved. It is in milliseconds and
means nothing on a machine that does other things; `load` is how many processes wanted a core when it began.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from statistics import median, quantiles

from tests.e2e.keyboard import review_by_keyboard
from tests.e2e.running import chromium
from tests.e2e.school import open_school, signed_in

ANSWERS, REVIEWED = 50_000, 30


def measure(*, quick: bool) -> list[dict[str, object]]:
    """Key presses and waits per answer, among few answers and among many."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, open_school(Path(folder)) as school, chromium() as browser:
        for count in (500, ANSWERS // 10 if quick else ANSWERS):
            load = os.getloadavg()[0]
            done = review_by_keyboard(signed_in(browser, school), school, school.scored(count), REVIEWED)
            rows.append(
                {
                    "answers": count,
                    "reviewed": REVIEWED,
                    "key presses per answer": done.presses / REVIEWED,
                    "median, ms": median(done.waits_ms),
                    "nine in ten under, ms": quantiles(done.waits_ms, n=10)[-1],
                    "longest, ms": max(done.waits_ms),
                    "each, ms": " ".join(f"{wait:.0f}" for wait in done.waits_ms),
                    "cores": os.cpu_count(),
                    "load": round(load, 1),
                }
            )
    return rows
