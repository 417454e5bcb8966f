"""What the wording of answers says beside a trained student: fitted in closed form on the rows it was trained on.

The heads are kernel ridge regressions, penalised as leaving out one answer at a time decides. How much they
count against the student is one number for all tasks, those without dev rows included: the one with the least
squared error of expected levels on dev rows. The student knows its training rows too well to tell there.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from tqdm import tqdm

from scoring.itembank import LabelledResponse
from scoring.student.calibration import calibrated_softmax
from scoring.student.encoder import EncoderFiles
from scoring.student.tokens import pad
from scoring.student.wording import rarity_of, spelling_of, wording, wording_counts
from scoring.student.wording_heads import WordingHeads
from scoring.training.calibrating import SMALLEST, fit_temperature
from scoring.training.config import TrainConfig
from scoring.training.data import Splits
from scoring.training.development import Key
from scoring.training.growing import with_wording_heads
from scoring.training.kernel_ridge import fit_ridge
from scoring.training.targets import Targets
from scoring.training.trainer import Trained, dev_look

MOST = 3000
"""Training answers of a task that are compared with each other, at most; of more, so many drawn at random, from
each criterion's labelled ones alike."""
PART = 64
"""Answers whose words are counted at once: all of them padded to the longest would take gigabytes."""


def with_wording(
    trained: Trained, splits: Splits, files: EncoderFiles, config: TrainConfig, *, targets: Targets | None = None,
    device: str = "auto", progress: bool = True,
) -> Trained:  # fmt: skip
    """The student with its answers' wording mixed in; unchanged where there are no dev rows, or they don't ask for it.

    Args:
        trained: a student without wording.
        splits: what it was trained on and stopped by; `splits.val` isn't looked at.
        files: the encoder that it stands on.
        config: its hyper-parameters; `distil_weight` is the teacher's share in what the wording learns, too.
        targets: a teacher's out-of-fold opinions on the training rows.
        device: "auto", "cpu" or "cuda", to look at dev rows.
        progress: show a bar on standard error, one step a task.
    """
    alone = dev_look(trained, splits.dev, config, device=device)
    if not alone.logits:
        return trained
    student = with_wording_heads(trained.student, files)
    spelling = spelling_of(files)
    generator = np.random.default_rng(config.seed)
    every = [heads for heads in student.wording if isinstance(heads, WordingHeads)]
    fitting = tqdm(every, desc="wording", unit="task", file=sys.stderr, disable=not progress)
    for (task_id, criteria), heads in zip(student.config.tasks.items(), fitting, strict=True):
        rows = draw([row for row in splits.train if row.task_id == task_id], tuple(criteria), generator)
        tokens = trained.tokenizer([row.text for row in rows])
        padded = [pad(tokens[at : at + PART], trained.tokenizer.pad_id) for at in range(0, len(tokens), PART)]
        counts = torch.cat([wording_counts(ids, mask, spelling) for ids, mask in padded])
        heads.rarity.copy_(rarity_of(counts))
        heads.share.fill_(1.0)
        shared = wording(counts, heads.rarity, heads.power)  # (n, 2 BUCKETS)
        for (criterion_id, values), reach in zip(criteria.items(), heads.reaches, strict=True):
            rated = [at for at, row in enumerate(rows) if criterion_id in row.levels]
            reached = np.stack([_reached(rows[at], criterion_id, values, config, targets) for at in rated])
            own = shared[rated]
            fitted = fit_ridge((own @ own.T).double().numpy() + 1.0, np.arange(len(rated)), reached)
            weights = torch.tensor(fitted.weights, dtype=torch.float32)
            reach.by_wording.copy_(own.T @ weights)
            reach.constant.copy_(weights.sum(0))
            key = (task_id, criterion_id)
            if key in alone.logits:
                reach.temperature.fill_(fit_temperature(alone.logits[key], alone.labels[key]))
    worded = replace(trained, student=student)
    said = dev_look(worded, splits.dev, config, device=device).logits
    temperatures = {
        (task_id, criterion_id): float(reach.temperature)
        for (task_id, criteria), heads in zip(student.config.tasks.items(), every, strict=True)
        for criterion_id, reach in zip(criteria, heads.reaches, strict=True)
    }
    share = best_share(
        {key: _expected(table, temperatures[key]) for key, table in alone.logits.items()},
        {key: _expected(table, 1.0) for key, table in said.items()},
        alone.labels,
    )  # fmt: skip
    if not share:
        return trained
    for heads in every:
        heads.share.fill_(share)
    return worded


def draw(
    rows: Sequence[LabelledResponse], criteria: Sequence[str], generator: np.random.Generator
) -> list[LabelledResponse]:
    """At most `MOST` rows of one task, in their order, each criterion with as many labels as there are or fit in."""
    chosen: set[int] = set()
    for criterion_id in criteria:
        rated = [at for at, row in enumerate(rows) if criterion_id in row.levels]
        chosen.update(generator.permutation(rated)[: MOST // len(criteria)].tolist() if len(rows) > MOST else rated)
    return [rows[at] for at in sorted(chosen)]


def best_share(
    student: Mapping[Key, np.ndarray], words: Mapping[Key, np.ndarray], labels: Mapping[Key, np.ndarray]
) -> float:
    """The share of the second opinion, from 0 to below 1, under which the mixture's squared error is least.

    A label counts by its criterion's variance, so that criteria of few levels and of many count alike. Of
    few labels the share stays near 0: ten of them would give anything.

    Args:
        student: per criterion (n,) expected level indices.
        words: the same by the other opinion.
        labels: (n,) level indices.
    """
    along = across = 0.0
    for key, given in labels.items():
        if given.var() > 0:
            apart = words[key] - student[key]
            along += float(((given - student[key]) * apart).sum() / given.var())
            across += float((apart**2).sum() / given.var())
    known = sum(map(len, labels.values()))
    return min(1.0, max(0.0, along / across)) * known / (known + SMALLEST) if across else 0.0


def _expected(logits: np.ndarray, temperature: float) -> np.ndarray:
    """(n, L) -> (n,) expected level index."""
    found: np.ndarray = calibrated_softmax(logits, temperature) @ np.arange(logits.shape[1])
    return found


def _reached(
    row: LabelledResponse, criterion_id: str, values: tuple[int, ...], config: TrainConfig, targets: Targets | None
) -> np.ndarray:
    """(L-1,) chances that an answer reaches each level above the lowest, by its label and by the teacher."""
    given: np.ndarray = (row.levels[criterion_id] >= np.asarray(values[1:])).astype(float)
    taught = targets.of(row.task_id, row.response_id, criterion_id) if targets else None
    if taught is None:
        return given
    share = config.distil_weight
    return (1 - share) * given + share * np.cumsum(taught[::-1])[::-1][1:]
