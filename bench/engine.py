"""How fast the engine scores, and what each of its habits is worth against scoring without it."""

from __future__ import annotations

import resource
import time

from scoring.inference.engine import Engine
from scoring.itembank import read_item_bank
from scoring.settings import ROOT, Settings

TASK = "pondweed-light"
TEXTS = 2_000
DUPLICATED = 4


def texts(count: int) -> list[str]:
    """So many different answers of natural lengths, in no order of length."""
    known = [r.text for r in read_item_bank(ROOT / "samples" / "classroom").responses if r.text.strip()]
    return [f"{known[i % len(known)]} ({i})" for i in range(count)]


def in_pieces(engine: Engine, answers: list[str], size: int) -> None:
    """Score so many answers at a time, in file order."""
    for start in range(0, len(answers), size):
        engine.score(TASK, answers[start : start + size])


def measure(*, quick: bool) -> list[dict[str, object]]:
    """Seconds and responses per second, and speed relative to the engine as it is used."""
    answers = texts(TEXTS // 10 if quick else TEXTS)
    few = answers[: len(answers) // 10]
    student = ROOT / "samples" / "student"
    as_used = Engine.load(student)
    exact = Engine.load(student, precision="fp32")
    as_used.score(TASK, few)
    exact.score(TASK, few)
    chunk = Settings().chunk_size
    runs = [
        (f"as used ({as_used.device}, {as_used.precision})", len(answers), lambda: as_used.score(TASK, answers)),
        ("fp32", len(answers), lambda: exact.score(TASK, answers)),
        ("one at a time", len(few), lambda: [as_used.score(TASK, [text]) for text in few]),
        (f"in the worker's chunks of {chunk}", len(answers), lambda: in_pieces(as_used, answers, chunk)),
        ("in pieces of 32", len(answers), lambda: in_pieces(as_used, answers, 32)),
        (
            f"every answer {DUPLICATED} times",
            len(answers),
            lambda: as_used.score(TASK, answers[: len(answers) // DUPLICATED] * DUPLICATED),
        ),
    ]
    rows: list[dict[str, object]] = []
    for name, count, run in runs:
        began = time.perf_counter()
        run()
        seconds = time.perf_counter() - began
        rows.append({"how": name, "responses": count, "seconds": seconds, "responses/s": count / seconds})
    reference = float(rows[0]["responses/s"])  # type: ignore[arg-type]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for row in rows:
        row["speed against as used"] = float(row["responses/s"]) / reference  # type: ignore[arg-type]
        row["peak memory so far, MB"] = round(peak)
    return rows
