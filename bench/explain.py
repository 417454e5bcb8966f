"""Whether highlights are true of the model, by method: words taken out and put back, and the answer scored again.

Effects are shares of a criterion's range, means over answers with 95% bootstrap intervals. Differences
from random words are paired: the same answers, the same tests.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.baselines import METHODS, Method
from scoring.explain.explainer import rank_correlation
from scoring.explain.explanation import ExplainSettings, Faithfulness
from scoring.explain.faithfulness import FEWEST_WORDS, assess, verdict
from scoring.explain.game import Floats, Output, WordGame
from scoring.explain.words import word_spans
from scoring.inference.engine import Engine
from scoring.itembank import LabelledResponse, read_item_bank
from scoring.settings import ROOT

PER_TASK = 10
RESAMPLES = 1000
FIGURES = ("comprehensiveness", "sufficiency", "deletion_auc", "insertion_auc")
SHOWN, CHANCE = "shap (shown)", "random"


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


@dataclass(frozen=True)
class Tested:
    """One answer's attributions by one method, and what came of their test."""

    task_id: str
    values: Floats  # (n, outputs)
    figures: Floats  # (4,) `FIGURES`, means over the answer's criteria
    shown: tuple[bool, ...]  # per criterion
    seconds: float
    cpu_seconds: float


def measure(*, quick: bool) -> list[dict[str, object]]:
    """One row per place and method over all tasks, then the same by task."""
    rows: list[dict[str, object]] = []
    for place in PLACES:
        missing = [str(path) for path in (place.student, place.bank) if not path.exists()]
        if missing:
            print(f"{place.name}: left out, because {' and '.join(missing)} is not there", flush=True)
            continue
        engine = Engine.load(place.student)
        answers = held_out(engine, place.bank, 1 if quick else PER_TASK)
        tested = {}
        for name, method in METHODS.items():
            print(f"{place.name}: {name}", flush=True)
            tested[name] = _run(engine, answers, method)
        rows += _rows(place.name, "all", tested)
        for task_id in engine.tasks:
            of_task = {name: [t for t in found if t.task_id == task_id] for name, found in tested.items()}
            if of_task[SHOWN] and not quick:
                rows += _rows(place.name, task_id, of_task)
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


def _run(engine: Engine, answers: Sequence[LabelledResponse], method: Method) -> list[Tested]:
    settings = ExplainSettings()
    method(engine, answers[0].task_id, _game(engine, answers[0]), settings.evaluations)  # kernels are compiled
    found = []
    for answer in answers:
        game = _game(engine, answer)
        began, cpu_began = time.perf_counter(), time.process_time()
        values = method(engine, answer.task_id, game, settings.evaluations)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
        tests = assess(game, values, settings)
        full = game(np.ones((1, len(values)), dtype=bool))[0]
        found.append(
            Tested(
                task_id=answer.task_id,
                values=values,
                figures=np.mean([_shares(output, test) for output, test in zip(game.outputs, tests, strict=True)], 0),
                shown=tuple(
                    verdict(output, float(value), test)[0]
                    for output, value, test in zip(game.outputs, full, tests, strict=True)
                ),
                seconds=seconds,
                cpu_seconds=cpu_seconds,
            )
        )
    return found


def _rows(place: str, task: str, tested: dict[str, list[Tested]]) -> list[dict[str, object]]:
    chance = np.array([answer.figures[0] for answer in tested[CHANCE]])
    rows: list[dict[str, object]] = []
    for name, found in tested.items():
        figures = np.array([answer.figures for answer in found])  # (answers, 4)
        shown = [passed for answer in found for passed in answer.shown]
        rows.append(
            {
                "answers": place,
                "task": task,
                "method": name,
                **{figure: _interval(figures[:, column]) for column, figure in enumerate(FIGURES)},
                "more than random": "-" if name == CHANCE else _interval(figures[:, 0] - chance),
                "withheld": f"{1 - np.mean(shown):.0%} of {len(shown)}",
                "agreement with shap": _agreement(found, tested[SHOWN]),
                "ms each": 1000 * float(np.median([answer.seconds for answer in found])),
                "CPU ms each": 1000 * float(np.median([answer.cpu_seconds for answer in found])),
            }
        )
    return rows


def _agreement(found: Sequence[Tested], shap: Sequence[Tested]) -> float:
    """Mean rank correlation over answers and criteria; those without one are left out."""
    return float(
        np.mean(
            [
                correlation
                for ours, theirs in zip(found, shap, strict=True)
                for a, b in zip(ours.values.T, theirs.values.T, strict=True)
                if (correlation := rank_correlation(a, b)) is not None
            ]
        )
    )


def _game(engine: Engine, answer: LabelledResponse) -> WordGame:
    outputs = [Output(c, levels) for c, levels in engine.tasks[answer.task_id].items()]
    return WordGame(engine, answer.task_id, answer.text, word_spans(answer.text), outputs)


def _shares(output: Output, test: Faithfulness) -> list[float]:
    lowest, points = output.levels[0], output.levels[-1] - output.levels[0]
    return [(getattr(test, name) - (lowest if name.endswith("auc") else 0)) / points for name in FIGURES]


def _interval(values: Floats) -> str:
    generator = np.random.default_rng(0)
    means = generator.choice(values, (RESAMPLES, len(values))).mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"
