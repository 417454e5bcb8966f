"""Whether highlights are true of the model, by method: words taken out and put back, and the answer scored again.

Effects are shares of a criterion's range, means over answers with 95% bootstrap intervals.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.baselines import METHODS, Method
from scoring.explain.explanation import ExplainSettings, Faithfulness
from scoring.explain.faithfulness import FEWEST_WORDS, assess, verdict
from scoring.explain.game import Output, WordGame
from scoring.explain.words import word_spans
from scoring.inference.engine import Engine
from scoring.itembank import LabelledResponse, read_item_bank
from scoring.settings import ROOT

PER_TASK = 5
RESAMPLES = 1000
FIGURES = ("comprehensiveness", "sufficiency", "deletion_auc", "insertion_auc")


@dataclass(frozen=True)
class Place:
    """A student and answers that it wasn't trained on."""

    name: str
    student: Path
    bank: Path


PLACES = (
    Place("sample classroom", ROOT / "samples" / "student", ROOT / "samples" / "classroom"),
    Place("ASAP-SAS", ROOT / "bench" / "students" / "asap-sas", ROOT.parent / "shared" / "data" / "asap-sas"),
)


def measure(*, quick: bool) -> list[dict[str, object]]:
    """One row per method and place."""
    rows: list[dict[str, object]] = []
    for place in PLACES:
        missing = [str(path) for path in (place.student, place.bank) if not path.exists()]
        if missing:
            print(f"{place.name}: left out, because {' and '.join(missing)} is not there", flush=True)
            continue
        engine = Engine.load(place.student)
        answers = held_out(engine, place.bank, 1 if quick else PER_TASK)
        for name, method in METHODS.items():
            rows.append({"answers": place.name, "method": name, **_one_method(engine, answers, method)})
    return rows


def held_out(engine: Engine, bank: Path, per_task: int) -> list[LabelledResponse]:
    """The first so many answers of each task that no training saw and that have words enough for a test."""
    found: list[LabelledResponse] = []
    responses = read_item_bank(bank).responses
    for task_id in engine.tasks:
        of_task = (
            r for r in responses
            if r.task_id == task_id and r.fold == "val" and len(word_spans(r.text)) >= FEWEST_WORDS
        )  # fmt: skip
        found += [response for response, _ in zip(of_task, range(per_task), strict=False)]
    return found


def _one_method(engine: Engine, answers: list[LabelledResponse], method: Method) -> dict[str, object]:
    settings = ExplainSettings()
    seconds = []
    figures = []  # per answer, mean over its criteria
    shown: list[bool] = []
    method(engine, answers[0].task_id, _game(engine, answers[0]), settings.evaluations)  # kernels are compiled
    for answer in answers:
        game = _game(engine, answer)
        began = time.perf_counter()
        values = method(engine, answer.task_id, game, settings.evaluations)
        seconds.append(time.perf_counter() - began)
        tested = assess(game, values, settings)
        figures.append(
            np.mean([list(_shares(output, test)) for output, test in zip(game.outputs, tested, strict=True)], 0)
        )
        full = game(np.ones((1, len(values)), dtype=bool))[0]
        shown += [
            verdict(output, float(value), test)[0]
            for output, value, test in zip(game.outputs, full, tested, strict=True)
        ]  # fmt: skip
    return {
        **{name: _interval(np.array(figures)[:, column]) for column, name in enumerate(FIGURES)},
        "withheld": f"{1 - np.mean(shown):.0%} of {len(shown)}",
        "ms each": 1000 * float(np.median(seconds)),
    }


def _game(engine: Engine, answer: LabelledResponse) -> WordGame:
    outputs = [Output(c, levels) for c, levels in engine.tasks[answer.task_id].items()]
    return WordGame(engine, answer.task_id, answer.text, word_spans(answer.text), outputs)


def _shares(output: Output, test: Faithfulness) -> Iterator[float]:
    lowest, points = output.levels[0], output.levels[-1] - output.levels[0]
    for name in FIGURES:
        yield (getattr(test, name) - (lowest if name.endswith("auc") else 0)) / points


def _interval(values: np.ndarray) -> str:
    generator = np.random.default_rng(0)
    means = generator.choice(values, (RESAMPLES, len(values))).mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"
