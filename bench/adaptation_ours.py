"""The product's own way as a method of the benchmark, whole or with one thing left out."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from bench.adaptation_data import DEVICE, POOL, Found, Ground, Method, Sight
from scoring.inference.engine import criterion_scores
from scoring.training.adaptation_config import AdaptConfig
from scoring.training.adaptation_delta import Trainee
from scoring.training.adaptation_examples import Examples
from scoring.training.adaptation_heads import head_logits
from scoring.training.adaptation_run import Run
from scoring.training.adaptation_store import PartStore
from scoring.training.adaptation_views import AnswerViews, views_of

WITHOUT = {
    "pool": "without unlabelled answers",
    "teacher": "without the teacher inside",
    "spread": "levels read by held-out labels, not by unlabelled answers",
    "related": "without what other tasks' heads reward",
    "text": "without prompt, rubric and references",
    "student": "on the encoder as it came, without a base student",
}
"""What can be left out -> how the table calls it."""


class _CellRun(Run):
    """An adaptation whose views were computed once for all cells of a task."""

    without = ""

    def see(self, sight: Sight, places: list[int], at: Ground) -> None:
        """Take the views of labelled, unlabelled and val answers from what was seen before."""
        tokens = [sight.tokens[at] for at in places]
        self.trainee = Trainee(sight.student, tokens, sight.tokenizer.pad_id, self.config, DEVICE, sight.autocast)
        if self.tries_delta(self.rows):
            self.trainee.lower = sight.with_lower().part(places)
        self.views = replace(_views(sight, places[: self.rows + len(self.known.pool)], at), hidden=sight.hidden[places])

    def lesson(self, places: Sequence[int]) -> Any:
        """The same, with val among the answers and unknown to the lesson."""
        whole = self.views
        self.views = replace(whole, hidden=whole.hidden[: self.rows + len(self.known.pool)])
        try:
            return super().lesson(places)
        finally:
            self.views = whole

    def _related(self) -> np.ndarray:
        found = super()._related()
        return found[:0] if self.without in ("related", "student") else found


def ours(config: AdaptConfig, without: str = "") -> Method:
    """The product's method, from the views to calibrated levels; one of `WITHOUT` left out.

    Leaving things out is for heads alone: a delta would have to be trained without them too.
    """
    if without == "teacher":
        config = replace(config, taught=0.0, pool_weight=0.0)

    def method(at: Ground, sight: Sight, labelled: list[int], pool: list[int], number: int) -> Found:
        rows, sight = at.rows, _less(sight, without)
        if without == "pool":
            pool = []
        known = Examples([rows[place] for place in labelled], [rows[place] for place in pool])
        val = list(range(len(at.train), len(rows)))
        run = _CellRun(at.base, at.task, known, replace(config, seed=number), _Memory(), "minilm", "cpu")
        run.without = without
        places = [*labelled, *pool, *val]
        run.see(sight, places, at)
        for part in run.parts():
            if part.stage in ("first", "crossval", "final"):
                for _ in part.work(Path(), 0.0):
                    pass
        state, logits = run.state(), dict[str, np.ndarray]()
        if run.uses_delta():
            run.trainee.restore(state)
            _exhaust(run.trainee.logits(list(range(len(labelled) + len(pool), len(places))), logits))
        else:
            heads = {name.removeprefix("head."): part for name, part in state.items() if name.startswith("head.")}
            logits = head_logits(sight.student.config, at.task.id, heads, sight.hidden, val)
        (criterion,) = at.task.criteria
        entry = run.held_out().calibration({} if without == "spread" else run.pool_logits())[at.task.id, criterion.id]
        scores = criterion_scores(criterion.id, criterion.values, logits[criterion.id], entry)
        levels = np.array([score.level - criterion.values[0] for score in scores])
        size = 2 * sum(tensor.numel() for tensor in run.state().values())
        return Found(levels, {"added_bytes": size, "delta": run.uses_delta()})

    return method


def _less(sight: Sight, without: str) -> Sight:
    """What a student sees that was not told the task's text, or what the encoder sees without any student."""
    if without not in ("text", "student"):
        return sight
    if without not in sight.others:
        other = copy.copy(sight)
        other.views_of_draw = {}
        if without == "text":
            other.hidden, other.vectors = sight.untold()
        else:
            # As long as what the student's heads read, so that the same penalties hold.
            length = np.linalg.norm(sight.hidden, axis=1).mean() / np.linalg.norm(sight.plain, axis=1).mean()
            other.hidden = other.vectors = sight.plain * np.float32(length)
        sight.others[without] = other
    return sight.others[without]


def _views(sight: Sight, places: list[int], at: Ground) -> AnswerViews:
    """Of labelled and unlabelled answers: cut from those of the largest draw that they are part of."""
    if len(places) <= POOL:
        texts = [at.rows[place].text for place in places]
        return views_of(sight.hidden[places], sight.vectors[places], sight.plain[places], texts)
    known = sight.views_of_draw.get(tuple(places[-POOL:]))
    if known is None or not set(places) <= known[0].keys():
        order = [place for place in at.largest(places)]
        texts = [at.rows[place].text for place in order]
        made = views_of(sight.hidden[order], sight.vectors[order], sight.plain[order], texts)
        known = {place: number for number, place in enumerate(order)}, made
        sight.views_of_draw = {tuple(places[-POOL:]): known}
    numbers, made = known
    chosen = np.array([numbers[place] for place in places])
    grid = np.ix_(chosen, chosen)
    kernels = {name: kernel[grid] for name, kernel in made.kernels.items()}
    return AnswerViews(made.hidden[chosen], made.likeness[grid], kernels)


class _Memory(PartStore):
    """Parts that needn't outlast the cell."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, Tensor]] = {}

    def save(self, key: str, tensors: Mapping[str, Tensor]) -> None:
        self._parts[key] = dict(tensors)

    def load(self, key: str) -> dict[str, Tensor] | None:
        return self._parts.get(key)


def _exhaust(steps: Iterator[None]) -> None:
    for _ in steps:
        pass
