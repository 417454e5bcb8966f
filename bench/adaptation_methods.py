"""The ways to add a task that are compared: ours, and its rivals. Each gives level indices for a task's val answers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional

from bench.adaptation_data import DEVICE, POOL, Ground, Sight
from scoring.inference.engine import criterion_scores
from scoring.student.heads import build_head
from scoring.student.moe import MoELayer
from scoring.student.text import clean_text
from scoring.training.adaptation_config import AdaptConfig
from scoring.training.adaptation_delta import Trainee
from scoring.training.adaptation_examples import Examples
from scoring.training.adaptation_heads import head_logits
from scoring.training.adaptation_run import Run
from scoring.training.adaptation_store import PartStore
from scoring.training.adaptation_views import AnswerViews, views_of
from scoring.training.config import TrainConfig
from scoring.training.data import Splits
from scoring.training.trainer import dev_look, train

REVISION = 1
"""Raised when the code of the method changes what it learns, so that its cells are run again."""

OURS = AdaptConfig(folds=3, curve_draws=1, delta_from=100)
"""As the product does, but with three folds, to save time."""


@dataclass(frozen=True)
class Found:
    """What a method says about val, and what else was measured."""

    levels: np.ndarray  # (val,) level indices
    more: Mapping[str, Any]


Method = Callable[[Ground, Sight, list[int], list[int], int], Found]
"""(ground, sight, labelled, unlabelled, draw) -> what it says."""


class _CellRun(Run):
    """An adaptation whose views were computed once for all cells of a task."""

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


def ours(config: AdaptConfig) -> Method:
    """The product's method, from the views to calibrated levels."""

    def method(at: Ground, sight: Sight, labelled: list[int], pool: list[int], number: int) -> Found:
        rows = at.rows
        known = Examples([rows[place] for place in labelled], [rows[place] for place in pool])
        val = list(range(len(at.train), len(rows)))
        run = _CellRun(at.base, at.task, known, replace(config, seed=number), _Memory(), "minilm", "cpu")
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
        entry = run.held_out().calibration(run.pool_logits())[at.task.id, criterion.id]
        scores = criterion_scores(criterion.id, criterion.values, logits[criterion.id], entry)
        levels = np.array([score.level - criterion.values[0] for score in scores])
        size = 2 * sum(tensor.numel() for tensor in run.state().values())
        return Found(levels, {"added_bytes": size, "delta": run.uses_delta()})

    return method


def _views(sight: Sight, places: list[int], at: Ground) -> AnswerViews:
    """Of labelled and unlabelled answers: cut from those of the largest draw that they are part of."""
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


def logistic(at: Ground, sight: Sight, labelled: list[int], pool: list[int], number: int) -> Found:
    """Logistic regression on the frozen encoder's mean of token states, at unit length."""
    unit = sight.plain / np.linalg.norm(sight.plain, axis=1, keepdims=True)
    model = LogisticRegression(C=10.0, max_iter=2000, class_weight=None).fit(unit[labelled], at.labels(labelled))
    return Found(model.predict(unit[len(at.train) :]), {})


def tfidf(at: Ground, sight: Sight, labelled: list[int], pool: list[int], number: int) -> Found:
    """Ridge regression on TF-IDF of words, pairs of words and runs of letters; rounded."""
    texts = [clean_text(row.text).lower() for row in at.rows]
    blocks = []
    for analyzer, span in (("word", (1, 2)), ("char_wb", (3, 5))):
        vectorizer = TfidfVectorizer(analyzer=analyzer, ngram_range=span, sublinear_tf=True)
        vectorizer.fit([texts[place] for place in labelled])
        blocks.append(vectorizer.transform(texts))
    table = hstack(blocks).tocsr()
    own = table[labelled]
    labels = at.labels(labelled).astype(float)
    kernel = (own @ own.T).toarray()
    weights = np.linalg.solve(kernel + np.eye(len(labelled)), labels - labels.mean())
    said = (table[len(at.train) :] @ own.T).toarray() @ weights + labels.mean()
    (criterion,) = at.task.criteria
    return Found(np.clip(np.floor(said + 0.5), 0, len(criterion.values) - 1).astype(int), {})


def fresh(at: Ground, sight: Sight, labelled: list[int], pool: list[int], number: int) -> Found:
    """A student of its own for the task, from the encoder as it came: what each school would train without a base."""
    rows = at.rows
    epochs = max(4, min(15, 2000 // len(labelled)))
    config = TrainConfig(epochs=epochs, patience=epochs, seed=number, average=0.9, student={"max_tokens": 256})
    splits = Splits([rows[place] for place in labelled], [], [])
    trained = train({at.task.id: at.task}, splits, sight.files, config, device="cpu", progress=False)
    found = dev_look(trained, at.val, config, device="cpu")
    (table,) = found.logits.values()
    size = 2 * sum(tensor.numel() for tensor in trained.student.own_state().values())
    return Found(_levels(table), {"added_bytes": size})


def paper(at: Ground, sight: Sight, labelled: list[int], pool: list[int], number: int) -> Found:
    """Experts, gates, the task's embedding and a new head trained; encoder and pooling frozen."""
    torch.manual_seed(number)
    student = copy.deepcopy(sight.student)
    (criterion,) = at.task.criteria
    head = build_head("softmax", student.config.width, len(criterion.values), student.config.dropout)
    index = len(student.config.tasks) - 1
    seen = torch.tensor(sight.vectors)
    labels = torch.tensor(at.labels(labelled))
    learnt = student.task_embedding.learned.weight
    trained = [*student.moe.requires_grad_(True).parameters(), *head.parameters(), learnt.requires_grad_(True)]
    optimizer = torch.optim.AdamW(trained, lr=5e-4)
    generator = torch.Generator().manual_seed(number)
    student.moe.train()
    for _ in range(20):
        for batch in torch.randperm(len(labelled), generator=generator).split(16):
            hidden = _experts(student, seen[[labelled[place] for place in batch.tolist()]], index)
            loss = functional.cross_entropy(head(hidden), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            if learnt.grad is not None:
                learnt.grad[:-1] = 0
            optimizer.step()
    student.moe.eval()
    head.eval()
    with torch.inference_mode():
        table = head(_experts(student, seen[len(at.train) :], index)).numpy()
    size = 2 * sum(parameter.numel() for parameter in trained)
    return Found(_levels(table), {"added_bytes": size, **_drift(sight, student)})


def _drift(sight: Sight, student: Any) -> dict[str, Any]:
    """What other tasks' scores of the same answers became: share of levels that changed, mean change in points."""
    changed, moved, answers = 0, 0.0, 0
    seen = torch.tensor(sight.vectors[-200:])
    for index, (task_id, criteria) in enumerate(list(student.config.tasks.items())[:-1]):
        for place, criterion_id in enumerate(criteria):
            points = torch.arange(len(student.config.tasks[task_id][criterion_id]), dtype=torch.float32)
            with torch.inference_mode():
                before, after = (
                    model.heads[index][place](_experts(model, seen, index)).softmax(-1) @ points
                    for model in (sight.student, student)
                )
            changed += int(((before + 0.5).floor() != (after + 0.5).floor()).sum())
            moved += float((before - after).abs().sum())
            answers += len(seen)
    return {"levels_changed": changed / answers, "mean_change": moved / answers}


def _experts(student: Any, vectors: Tensor, index: int) -> Tensor:
    rows = torch.full((len(vectors),), index)
    hidden, task = vectors, student.task_embedding(rows)
    for layer in student.moe:
        assert isinstance(layer, MoELayer)
        hidden = layer(hidden, task, rows).hidden
    return hidden


def _levels(table: np.ndarray) -> np.ndarray:
    powers = np.exp(table - table.max(1, keepdims=True))
    expected = powers / powers.sum(1, keepdims=True) @ np.arange(table.shape[1])
    return np.floor(expected + 0.5).astype(int)


def _exhaust(steps: Iterator[None]) -> None:
    for _ in steps:
        pass


METHODS: dict[str, tuple[str, Method, Mapping[str, Any]]] = {
    "ours": ("ours", ours(OURS), {"revision": REVISION, **OURS.to_json()}),
    "ours-quick": (
        "ours, heads alone",
        ours(replace(OURS, quick=True)),
        {"revision": REVISION, **replace(OURS, quick=True).to_json()},
    ),
    "logistic": ("logistic regression on frozen MiniLM", logistic, {"revision": 1}),
    "tfidf": ("TF-IDF ridge", tfidf, {"revision": 1}),
    "fresh": ("a fresh student per task", fresh, {"revision": 1}),
    "paper": ("experts and head trained, as published", paper, {"revision": 1}),
}
"""Name -> title, method, and the settings that its cells are cached by."""
