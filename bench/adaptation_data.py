"""What the cells of the adaptation benchmark share: rows, draws of labels, and what encoders make of answers."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.adaptation_bases import CACHE, base_folder, base_student, halves, read_bank
from scoring.domain import Task, content_hash
from scoring.inference.batching import plan_batches
from scoring.inference.hardware import choose_precision
from scoring.itembank import LabelledResponse
from scoring.student import checkpoint
from scoring.student.encoder import load_encoder, locate_encoder
from scoring.student.model import Student
from scoring.student.pooling import masked_mean
from scoring.student.tokens import Tokenizer, Tokens, pad
from scoring.training.adaptation_config import AdaptConfig
from scoring.training.adaptation_layers import LowerStates
from scoring.training.adaptation_views import hidden_of
from scoring.training.growing import grow, task_rows

POOL = 400
"""Unlabelled answers of the class that a method may read, from the rest of the task's training rows."""
LARGEST = 256
"""Labels of the largest draw; unlabelled answers come after them."""
TRAIN = 800
"""Training rows of a task that labels and unlabelled answers are drawn from."""
VIEWS = ("hidden", "vectors", "plain")
"""Of each answer: what trained heads read, the pooled vector, the encoder as it came."""
DEVICE = torch.device("cpu")


@dataclass(frozen=True)
class Ground:
    """One task and the base student that does not know it."""

    task: Task
    train: list[LabelledResponse]
    val: list[LabelledResponse]
    base: Path

    @property
    def rows(self) -> list[LabelledResponse]:
        """Training rows, then val."""
        return [*self.train, *self.val]

    def labels(self, places: list[int]) -> np.ndarray:
        """Level indices of rows by their positions."""
        (criterion,) = self.task.criteria
        return np.array([self.rows[at].levels[criterion.id] - criterion.values[0] for at in places])

    def draw(self, size: int, number: int) -> tuple[list[int], list[int]]:
        """Positions of a random draw of labels, with two levels at least, and of the unlabelled answers beside it.

        Draws of one number are nested: the smaller is part of the larger; the unlabelled answers are the same.
        """
        for attempt in range(100):
            order = list(range(len(self.train)))
            random.Random(f"{self.task.id} {number} {attempt}").shuffle(order)
            if len(set(self.labels(order[: min(size, 16)]).tolist())) > 1:
                break
        after = min(LARGEST, len(order) // 2)
        return order[:size], order[max(after, size) : max(after, size) + POOL]


@lru_cache(maxsize=1)
def _bank(quick: bool):  # type: ignore[no-untyped-def]
    return read_bank(quick)


def grounds(*, quick: bool) -> list[tuple[str, str]]:
    """(base, task id) of every task, each with the base that was trained without it."""
    bank = _bank(quick)
    known = halves(bank)
    return [(name, task_id) for task_id in bank.tasks for name, trained in known.items() if task_id not in trained]


def base_is_there(name: str, *, quick: bool) -> bool:
    """Whether a base student is trained already, or small enough to be trained in passing."""
    return quick or any((folder / "config.json").is_file() for folder in CACHE.glob(f"{name}-*"))


@lru_cache(maxsize=2)
def base_names(*, quick: bool) -> dict[str, str]:
    """Task id -> the folder's name of the base student that does not know it, trained or not."""
    bank = _bank(quick)
    return {task_id: base_folder(bank, name, quick=quick).name for name, task_id in grounds(quick=quick)}


def ground(name: str, task_id: str, *, quick: bool) -> Ground:
    """Rows of a task, and its base student."""
    bank = _bank(quick)
    rows = bank.of_task(task_id)
    train = [row for row in rows if row.fold == "train"]
    random.Random(task_id).shuffle(train)
    val = [row for row in rows if row.fold == "val"]
    return Ground(bank.tasks[task_id], train[:TRAIN], val, base_student(bank, name, quick=quick))


def others_val(name: str, *, quick: bool) -> dict[str, list[LabelledResponse]]:
    """Val rows of the tasks that a base student was trained on."""
    bank = _bank(quick)
    return {task: [row for row in bank.of_task(task) if row.fold == "val"] for task in halves(bank)[name]}


@lru_cache(maxsize=2)
def data_hash(quick: bool) -> str:
    """Of all rows that decide a result."""
    bank = _bank(quick)
    return content_hash([[r.task_id, r.response_id, r.text, r.levels, r.fold] for r in bank.responses])[:16]


@dataclass(frozen=True)
class Found:
    """What a method says about val, and what else was measured."""

    levels: np.ndarray  # (val,) level indices
    more: Mapping[str, Any]


Method = Callable[[Ground, "Sight", list[int], list[int], int], Found]
"""(ground, sight, labelled, unlabelled, draw) -> what it says."""


class Sight:
    """What a base student, grown by the task and untrained, makes of the task's answers; and the encoder as it came."""

    def __init__(self, at: Ground, config: AdaptConfig) -> None:
        self.files = locate_encoder()
        base, self.manifest = checkpoint.load(at.base, self.files)
        self.tokenizer = Tokenizer(self.files, base.config.max_tokens)
        torch.manual_seed(0)
        self.student: Student = grow(
            base, self.files, self.tokenizer, at.task, rank=config.rank, alpha=config.alpha, modules=config.modules
        ).merge_adapters()
        self.student.eval()
        self.tokens: list[Tokens] = self.tokenizer([row.text for row in at.rows])
        dtype = choose_precision("auto", DEVICE)
        self.autocast = dtype if dtype is torch.bfloat16 else None
        self.lower: LowerStates | None = None
        self.others: dict[str, Sight] = {}
        self._config = config
        path = CACHE / f"sight-{at.base.name}-{at.task.id}-{len(at.rows)}.npz"
        if not path.is_file():
            np.savez(path, **self._look())
        self._path = path
        kept = np.load(path)
        self.hidden, self.vectors, self.plain = (kept[name] for name in VIEWS)

    def with_lower(self) -> LowerStates:
        """What the lower layers make of every answer; computed once."""
        if self.lower is None:
            self._look(plain=False)
        assert self.lower is not None
        return self.lower

    def untold(self) -> tuple[np.ndarray, np.ndarray]:
        """`hidden` and `vectors` of a student that was not told the task's text: prompt, rubric, references."""
        path = self._path.with_stem(f"{self._path.stem}-untold")
        if not path.is_file():
            views = task_rows(self.student, self.student.config.task_ids[-1])["views"]
            told = views.clone()
            with torch.no_grad():
                views.zero_()
            found = self._look(plain=False)
            with torch.no_grad():
                views.copy_(told)
            np.savez(path, **found)
        kept = np.load(path)
        return kept["hidden"], kept["vectors"]

    def _look(self, *, plain: bool = True) -> dict[str, np.ndarray]:
        self.lower = LowerStates(self.student, self._config.layers)
        found = {name: np.zeros((len(self.tokens), self.student.config.width), np.float32) for name in VIEWS}
        encoder = load_encoder(self.files) if plain else None
        for batch in plan_batches([len(row) for row in self.tokens], 4096):
            ids, mask = pad([self.tokens[at] for at in batch], self.tokenizer.pad_id)
            index = torch.full((len(batch),), len(self.student.config.tasks) - 1)
            with torch.inference_mode(), torch.autocast("cpu", dtype=self.autocast, enabled=self.autocast is not None):
                with self.lower.recording(batch, mask):
                    hidden, vectors = hidden_of(self.student, ids, mask, index)
                if encoder is not None:
                    states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
                    found["plain"][batch] = masked_mean(states.float(), mask).numpy()
            found["hidden"][batch], found["vectors"][batch] = hidden.float().numpy(), vectors.float().numpy()
        return found


def read_json(path: Path) -> dict[str, object]:
    """A JSON file; empty where there is none."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def task_ids(*, quick: bool) -> list[str]:
    """Every task, in the bank's order."""
    return list(_bank(quick).tasks)


def ground_labels(task_id: str, *, quick: bool) -> np.ndarray:
    """Level indices that people gave a task's val answers, in file order."""
    bank = _bank(quick)
    (criterion,) = bank.tasks[task_id].criteria
    rows = [row for row in bank.of_task(task_id) if row.fold == "val"]
    return np.array([row.levels[criterion.id] - criterion.values[0] for row in rows])
