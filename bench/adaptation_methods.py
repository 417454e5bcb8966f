"""The ways to add a task that are compared: ours, and its rivals. Each gives level indices for a task's val answers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional

from bench import adaptation_setfit
from bench.adaptation_data import DEVICE, Found, Ground, Method, Sight
from bench.adaptation_ours import WITHOUT, ours
from scoring.inference.batching import run_batches
from scoring.student.heads import build_head
from scoring.student.moe import MoELayer
from scoring.student.text import clean_text
from scoring.training.adaptation_config import AdaptConfig
from scoring.training.config import TrainConfig
from scoring.training.data import Splits
from scoring.training.trainer import train

REVISION = 4
"""Raised when the code of the method changes what it learns, so that its cells are run again."""

OURS = AdaptConfig(curve_draws=1, delta_from=200)
"""As the product does, but that a delta is tried at 256 labels, to tell whether it is worth it there."""
SHORT = replace(OURS, passes=1200)
"""With a delta, to save time: half as many passes."""


def logistic(at: Ground, sight: Sight, labelled: list[int], pool: list[int], number: int) -> Found:
    """Logistic regression on the frozen encoder's mean of token states, at unit length.

    Penalty, balance and reading are the best of 36 settings on training rows that were not drawn.
    """
    unit = sight.plain / np.linalg.norm(sight.plain, axis=1, keepdims=True)
    model = LogisticRegression(C=100.0, max_iter=2000, class_weight="balanced").fit(unit[labelled], at.labels(labelled))
    expected = model.predict_proba(unit[len(at.train) :]) @ model.classes_
    return Found(np.floor(expected + 0.5).astype(int), {})


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


def setfit(at: Ground, sight: Sight, labelled: list[int], pool: list[int], number: int) -> Found:
    """SetFit: the encoder trained to tell pairs of one level from pairs of two, then logistic regression."""
    texts = [clean_text(row.text) for row in at.rows]
    val = texts[len(at.train) :]
    labels = at.labels(labelled).tolist()
    said = adaptation_setfit.ask(sight.files.folder, [texts[place] for place in labelled], labels, val, number)
    return Found(np.array(said["levels"]), {"steps": said["steps"]})


def fresh(at: Ground, sight: Sight, labelled: list[int], pool: list[int], number: int) -> Found:
    """A student of its own for the task, from the encoder as it came: what each school would train without a base.

    Without experts, which one task has no use for; as many as 40 epochs where labels are few.
    """
    rows = at.rows
    epochs = max(8, min(40, 2000 // len(labelled)))
    config = TrainConfig(
        epochs=epochs, patience=epochs, seed=number, average=0.9, student={"max_tokens": 256, "moe_layers": 0}
    )
    splits = Splits([rows[place] for place in labelled], [], [])
    trained = train({at.task.id: at.task}, splits, sight.files, config, device="cpu", progress=False)
    (criterion,) = at.task.criteria
    table = np.zeros((len(at.val), len(criterion.values)))
    tokens = trained.tokenizer([row.text for row in at.val])
    for batch, output in run_batches(
        trained.student.eval(), tokens, [0] * len(tokens), pad_id=trained.tokenizer.pad_id, token_budget=4096,
        device=DEVICE, autocast=sight.autocast,
    ):  # fmt: skip
        table[batch] = output.logits[at.task.id, criterion.id].double().numpy()
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


METHODS: dict[str, tuple[str, Method, Mapping[str, Any]]] = {
    "ours": (
        "ours, from 200 labels with a delta where held-out answers agree better",
        ours(SHORT),
        {"revision": REVISION, **SHORT.to_json()},
    ),
    "ours-quick": (
        "ours, heads alone",
        ours(replace(OURS, quick=True)),
        {"revision": REVISION, **replace(OURS, quick=True).to_json()},
    ),
    **{
        f"ours-without-{name}": (
            f"ours, heads alone, {title}",
            ours(replace(OURS, quick=True), name),
            {"revision": REVISION, **replace(OURS, quick=True).to_json(), "without": name},
        )
        for name, title in WITHOUT.items()
    },
    "logistic": ("logistic regression on frozen MiniLM", logistic, {"revision": 2}),
    "tfidf": ("TF-IDF ridge", tfidf, {"revision": 1}),
    "setfit": (
        f"SetFit, at most {adaptation_setfit.SETTINGS['steps']} steps",
        setfit,
        {"revision": 1, **adaptation_setfit.SETTINGS},
    ),
    "fresh": ("a fresh student per task", fresh, {"revision": 2}),
    "paper": ("experts and head trained, as published", paper, {"revision": 1}),
}
"""Name -> title, method, and the settings that its cells are cached by."""
