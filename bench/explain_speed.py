"""How long a teacher waits for an explanation, and what it costs: seconds, processor seconds, copies scored."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from scoring.explain.explainer import explain, first_look
from scoring.explain.explanation import ExplainSettings
from scoring.explain.faithfulness import assess
from scoring.explain.game import Output, WordGame, neighbouring
from scoring.explain.shapley import owen_values
from scoring.explain.words import word_spans
from scoring.inference.engine import Engine, Reading
from scoring.itembank import read_item_bank
from scoring.settings import ROOT

TASK = "pondweed-light"
WORDS = 60
CLASS = 30
CLASS_S = 60.0
REPEATS = 3


class CountingEngine(Engine):
    """An engine that counts the texts it reads, and their tokens without padding."""

    copies = 0
    tokens = 0

    def read(self, task_id: str, texts: Sequence[str]) -> Reading:
        """Read and count."""
        self.copies += len(texts)
        self.tokens += sum(map(len, self.tokenizer(texts)))
        return super().read(task_id, texts)


def measure(*, quick: bool) -> list[dict[str, object]]:
    """One answer of 60 words, whole and by part, and a class; beside what was aimed at on two idle CPU cores."""
    engine = CountingEngine.load(ROOT / "samples" / "student")
    assert isinstance(engine, CountingEngine)
    texts = [r.text for r in read_item_bank(ROOT / "samples" / "classroom").of_task(TASK) if r.text.strip()]
    long = next(text for text in texts if len(word_spans(text)) >= WORDS)
    long = long[: word_spans(long)[WORDS - 1][1]]
    pupils = texts[: CLASS // 10 if quick else CLASS]
    settings = ExplainSettings()
    explain(engine, TASK, long)  # kernels are compiled per shape
    look = first_look(engine, TASK, long)
    outputs = [
        output
        for c in look.criteria
        for output in (Output(c.id, c.levels), *(Output(c.id, c.levels, at) for at in neighbouring(c.levels, c.level)))
    ]
    game = WordGame(engine, TASK, long, look.spans, outputs)
    values = owen_values(game, settings.evaluations)

    def attributions() -> None:
        owen_values(WordGame(engine, TASK, long, look.spans, outputs), settings.evaluations)

    def test() -> None:
        assess(WordGame(engine, TASK, long, look.spans, outputs), values, settings)

    runs: list[tuple[str, float | str, int, Callable[[], object]]] = [
        (f"first look, {WORDS} words", 0.5, REPEATS, lambda: first_look(engine, TASK, long)),
        (f"whole explanation, {WORDS} words", 2.0, REPEATS, lambda: explain(engine, TASK, long, look=look)),
        (f"of it, shap for {len(outputs)} numbers", "-", REPEATS, attributions),
        ("of it, taking words out", "-", REPEATS, test),
        (f"a class of {len(pupils)}", CLASS_S * len(pupils) / CLASS, 1, lambda: _class(engine, pupils)),
    ]
    return [_row(engine, what, aim, repeats, run) for what, aim, repeats, run in runs]


def _class(engine: Engine, texts: Sequence[str]) -> None:
    for text in texts:
        explain(engine, TASK, text)


def _row(
    engine: CountingEngine, what: str, aim: float | str, repeats: int, run: Callable[[], object]
) -> dict[str, object]:
    engine.copies = engine.tokens = 0
    began, cpu_began = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        run()
    return {
        "what": what,
        "seconds": (time.perf_counter() - began) / repeats,
        "aim on two cores": aim,
        "CPU seconds": (time.process_time() - cpu_began) / repeats,
        "copies scored": engine.copies // repeats,
        "tokens": engine.tokens // repeats,
        "engine": f"{engine.device}, {engine.precision}",
    }
