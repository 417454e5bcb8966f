"""How long a teacher waits for an explanation."""

from __future__ import annotations

import time
from collections.abc import Callable

from scoring.explain.explainer import explain, first_look
from scoring.explain.words import word_spans
from scoring.inference.engine import Engine
from scoring.itembank import read_item_bank
from scoring.settings import ROOT

TASK = "pondweed-light"
WORDS = 60
CLASS = 30


def measure(*, quick: bool) -> list[dict[str, object]]:
    """Seconds for one answer of 60 words and for a class, beside what was aimed at on two CPU cores."""
    engine = Engine.load(ROOT / "samples" / "student")
    texts = [r.text for r in read_item_bank(ROOT / "samples" / "classroom").of_task(TASK) if r.text.strip()]
    long = next(text for text in texts if len(word_spans(text)) >= WORDS)
    long = long[: word_spans(long)[WORDS - 1][1]]
    pupils = texts[: CLASS // 10 if quick else CLASS]
    explain(engine, TASK, long)  # kernels are compiled per shape
    look = first_look(engine, TASK, long)
    runs: list[tuple[str, float, Callable[[], object]]] = [
        (f"first look, {WORDS} words", 0.5, lambda: first_look(engine, TASK, long)),
        (f"whole explanation, {WORDS} words", 2.0, lambda: explain(engine, TASK, long, look=look)),
        (f"a class of {len(pupils)}", 2.0 * len(pupils), lambda: [explain(engine, TASK, text) for text in pupils]),
    ]
    rows: list[dict[str, object]] = []
    for what, aim, run in runs:
        repeats = 1 if "class" in what else 3
        began = time.perf_counter()
        for _ in range(repeats):
            run()
        seconds = (time.perf_counter() - began) / repeats
        rows.append(
            {
                "what": what,
                "seconds": seconds,
                "aim on two cores": aim,
                "engine": f"{engine.device}, {engine.precision}",
            }
        )
    return rows
