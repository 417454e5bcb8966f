"""The product's own way as a method of the benchmark, whole or with one thing left out."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.adaptation_data import DEVICE, Found, Ground, Method, Sight
from scoring.inference.engine import criterion_scores
from scoring.student.example_heads import ExampleHeads
from scoring.student.tokens import pad
from scoring.student.wording import spelling_of
from scoring.training.adaptation_config import AdaptConfig
from scoring.training.adaptation_delta import Trainee
from scoring.training.adaptation_examples import Examples
from scoring.training.adaptation_run import Run
from scoring.training.adaptation_store import PartStore
from scoring.training.adaptation_views import views_of
from scoring.training.growing import HEAD

WITHOUT = {
    "pool": "without unlabelled answers",
    "words": "by meaning alone",
    "meaning": "by words alone",
    "spread": "levels read by held-out labels, not by unlabelled answers",
    "text": "without prompt, rubric and references",
    "student": "on the encoder as it came, without a base student",
}
"""What can be left out -> how the table calls it."""


class _CellRun(Run):
    """An adaptation whose views were computed once for all cells of a task."""

    def see(self, sight: Sight, places: list[int]) -> None:
        """Take the views of labelled, unlabelled and val answers from what was seen before."""
        tokens = [sight.tokens[at] for at in places]
        self.trainee = Trainee(sight.student, tokens, sight.tokenizer.pad_id, self.config, DEVICE, sight.autocast)
        if self.tries_delta(self.rows):
            self.trainee.lower = sight.with_lower().part(places)
        known = places[: self.rows + len(self.known.pool)]
        self.views = views_of(
            sight.hidden[known], sight.vectors[known], sight.plain[known], tokens[: len(known)],
            sight.tokenizer.pad_id, spelling_of(sight.files), self.config.words,
        )  # fmt: skip


def ours(config: AdaptConfig, without: str = "") -> Method:
    """The product's method, from the views to calibrated levels; one of `WITHOUT` left out.

    Leaving things out is for heads alone: a delta would have to be trained without them too.
    """
    if without in ("words", "meaning"):
        config = replace(config, words=float(without == "meaning"))

    def method(at: Ground, sight: Sight, labelled: list[int], pool: list[int], number: int) -> Found:
        rows, sight = at.rows, _less(sight, without)
        if without == "pool":
            pool = []
        known = Examples([rows[place] for place in labelled], [rows[place] for place in pool])
        val = list(range(len(at.train), len(rows)))
        run = _CellRun(at.base, at.task, known, replace(config, seed=number), _Memory(), "minilm", "cpu")
        places = [*labelled, *pool, *val]
        run.see(sight, places)
        for part in run.parts():
            if part.stage in ("first", "crossval", "final"):
                for _ in part.work(Path(), 0.0):
                    pass
        state, logits = run.state(), dict[str, np.ndarray]()
        (criterion,) = at.task.criteria
        if run.uses_delta():
            run.trainee.restore(state)
            _exhaust(run.trainee.logits(list(range(len(labelled) + len(pool), len(places))), logits))
        else:
            logits[criterion.id] = _compared(state, len(criterion.values), sight, val)
        entry = run.held_out().calibration({} if without == "spread" else run.pool_logits())[at.task.id, criterion.id]
        scores = criterion_scores(criterion.id, criterion.values, logits[criterion.id], entry)
        levels = np.array([score.level - criterion.values[0] for score in scores])
        size = 2 * sum(tensor.numel() for tensor in state.values())
        return Found(levels, {"added_bytes": size, "delta": run.uses_delta()})

    return method


def _compared(state: Mapping[str, Tensor], levels: int, sight: Sight, places: list[int]) -> np.ndarray:
    """(n, L) logits of example heads, on what the student pools."""
    own = {name.removeprefix(HEAD): tensor for name, tensor in state.items() if name.startswith(HEAD)}
    heads = ExampleHeads(sight.student.config.width, len(own["examples"]), [levels])
    heads.load_state_dict(own)
    (table,) = heads(
        torch.tensor(sight.vectors[places]), *pad([sight.tokens[at] for at in places], 0), spelling_of(sight.files)
    )
    found: np.ndarray = table.double().numpy()
    return found


def _less(sight: Sight, without: str) -> Sight:
    """What a student sees that was not told the task's text, or what the encoder sees without any student."""
    if without not in ("text", "student"):
        return sight
    if without not in sight.others:
        other = copy.copy(sight)
        if without == "text":
            other.hidden, other.vectors = sight.untold()
        else:
            # As long as what the student's heads read, so that the same penalties hold.
            length = np.linalg.norm(sight.hidden, axis=1).mean() / np.linalg.norm(sight.plain, axis=1).mean()
            other.hidden = other.vectors = sight.plain * np.float32(length)
        sight.others[without] = other
    return sight.others[without]


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
