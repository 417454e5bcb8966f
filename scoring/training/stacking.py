"""Several teachers as one: a log-linear pool per task and criterion (Genest & Zidek 1986; Hinton 2002).

The pool multiplies the teachers' distributions, each raised to a weight, and a bias per level:
`p ∝ exp(b + Σ_t w_t log p_t)` with `w ≥ 0`. The weights' sum is the pool's sharpness (an inverse
temperature), so that teachers who are each too timid or too sure are corrected together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from scoring.domain import Criterion, Task, content_hash
from scoring.errors import InvalidInput
from scoring.itembank import LabelledResponse
from scoring.training.crossfit import fold_of
from scoring.training.data import Splits
from scoring.training.targets import UNSEEN, Opinion, Targets
from scoring.training.teachers.human import HUMAN

ENSEMBLE = "ensemble"

LEAST = 1e-3
"""Probabilities are raised to this before their logarithm: no teacher alone rules a level out."""

FEWEST = 20
"""Labelled responses below which a pool keeps equal weights."""

Present = tuple[int, ...]
"""Positions of the teachers that have an opinion on a response."""


@dataclass(frozen=True)
class Pool:
    """Weights of one pool: (T,) of its teachers, (L,) biases of the levels."""

    weights: np.ndarray
    bias: np.ndarray

    def combine(self, opinions: np.ndarray) -> np.ndarray:
        """(n, T, L) the teachers' distributions -> (n, L) the pool's."""
        pooled: np.ndarray = softmax(self.bias + np.einsum("t,ntl->nl", self.weights, _logs(opinions)), axis=1)
        return pooled


def fit_pool(opinions: np.ndarray, labels: np.ndarray, ridge: float = 5.0) -> Pool:
    """Weights that minimise the summed negative log-likelihood of the labels plus a ridge penalty.

    Args:
        opinions: (n, T, L) distributions.
        labels: (n,) level indices.
        ridge: penalty per squared distance of a weight from 1 / T, and per squared bias, in
            nats; it fades as labels are added.

    Returns:
        The pool; equal weights and no bias with fewer than `FEWEST` labels.
    """
    count, teachers, levels = opinions.shape
    start = np.concatenate([np.full(teachers, 1 / teachers), np.zeros(levels)])
    if count < FEWEST:
        return Pool(start[:teachers], start[teachers:])
    logs = _logs(opinions)
    given = np.eye(levels)[labels]  # (n, L)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        logits = parameters[teachers:] + np.einsum("t,ntl->nl", parameters[:teachers], logs)
        away = parameters - start
        value = -(given * log_softmax(logits, axis=1)).sum() + ridge * away @ away
        excess = softmax(logits, axis=1) - given  # (n, L)
        slope = np.concatenate([np.einsum("nl,ntl->t", excess, logs), excess.sum(axis=0)])
        return float(value), slope + 2 * ridge * away

    bounds = [(0, None)] * teachers + [(None, None)] * levels
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return Pool(found[:teachers], found[teachers:])


def combine(
    teachers: Sequence[Targets], tasks: Mapping[str, Task], splits: Splits, *, folds: int = 5, ridge: float = 5.0
) -> Targets:
    """One ensemble's opinions on every response that any of the teachers speaks about.

    Opinions on rows of train and dev come from weights that were fitted without the row's fold, to
    the first human ratings; rows of val get weights fitted on all of train and dev. A pool is fitted
    for every set of teachers that occurs together, since a second human spoke on some rows only. On
    val rows the second human is left out, so that what is measured there is machines alone.

    Args:
        teachers: two or more, of the same item bank.
        tasks: of the item bank.
        splits: rows by purpose, as the teachers were cross-fitted on.
        folds: parts of train and dev for the weights.
        ridge: see `fit_pool`.

    Raises:
        InvalidInput: fewer than two teachers, one twice, or of different data.
    """
    _check(teachers)
    if folds < 2:
        raise InvalidInput(f"folds: {folds} is fewer than 2; weights must not be fitted on the rows they are used for")
    opinions: dict[tuple[str, str, str], Opinion] = {}
    weights: dict[str, dict[str, Any]] = {}
    for task in tasks.values():
        seen = [row for row in (*splits.train, *splits.dev) if row.task_id == task.id]
        unseen = [row for row in splits.val if row.task_id == task.id]
        for criterion in task.criteria:
            known = _Gathered(teachers, criterion, seen)
            ahead = _Gathered([each for each in teachers if each.teacher != HUMAN], criterion, unseen)
            fold = np.array([fold_of(row, folds) for row in seen], dtype=int)
            for part in range(folds):
                others = known.where(fold != part)
                for opinion in known.where(fold == part).pooled(others, part, ridge):
                    opinions[opinion.task_id, opinion.response_id, opinion.criterion_id] = opinion
            machines = _Gathered(ahead.teachers, criterion, seen)
            for opinion in ahead.pooled(machines, UNSEEN, ridge):
                opinions[opinion.task_id, opinion.response_id, opinion.criterion_id] = opinion
            everyone = tuple(range(len(machines.teachers)))
            pool = machines.pool(everyone, ridge)
            weights.setdefault(task.id, {})[criterion.id] = [round(float(weight), 3) for weight in pool.weights]
    members = [
        {
            "teacher": each.teacher,
            "identity": each.about.get("identity", ""),
            "parameters": each.about.get("parameters", 0),
        }
        for each in teachers
    ]
    about = {
        "members": members,
        "weights": weights,  # of the machine teachers, fitted on all of train and dev
        "folds": folds,
        "ridge": ridge,
        "seconds": sum(each.about.get("seconds", 0) for each in teachers),
        "parameters": sum(member["parameters"] for member in members),
        "identity": content_hash({"members": members, "folds": folds, "ridge": ridge, "data": teachers[0].data_sha256}),
    }
    return Targets(ENSEMBLE, teachers[0].data_sha256, opinions, about)


@dataclass
class _Gathered:
    """Teachers' opinions on one criterion of some rows, (n, T, L), nan where a teacher has none."""

    teachers: Sequence[Targets]
    criterion: Criterion
    rows: Sequence[LabelledResponse]
    table: np.ndarray = field(init=False)
    labels: np.ndarray = field(init=False)  # (n,) index of the first rating, -1 where there is none

    def __post_init__(self) -> None:
        self.table = np.full((len(self.rows), len(self.teachers), len(self.criterion.levels)), np.nan)
        self.labels = np.full(len(self.rows), -1)
        for at, row in enumerate(self.rows):
            if self.criterion.id in row.levels:
                self.labels[at] = row.levels[self.criterion.id] - self.criterion.values[0]
            for number, teacher in enumerate(self.teachers):
                opinion = teacher.of(row.task_id, row.response_id, self.criterion.id)
                if opinion is not None:
                    self.table[at, number] = opinion

    def where(self, chosen: np.ndarray) -> _Gathered:
        """The rows that were chosen, (n,) of bool."""
        return _Gathered(
            self.teachers, self.criterion, [row for row, here in zip(self.rows, chosen, strict=True) if here]
        )

    def pool(self, present: Present, ridge: float) -> Pool:
        """A pool of these teachers, from the labelled rows on which all of them spoke."""
        table = self.table[:, present]
        usable = (self.labels >= 0) & ~np.isnan(table).any(axis=(1, 2))
        return fit_pool(table[usable], self.labels[usable], ridge)

    def pooled(self, fitted_on: _Gathered, fold: int, ridge: float) -> list[Opinion]:
        """These rows' opinions, from pools that are fitted on other rows."""
        spoke = ~np.isnan(self.table).any(axis=2)  # (n, T)
        found = []
        for pattern in np.unique(spoke, axis=0):
            present = tuple(np.flatnonzero(pattern).tolist())
            if not present:
                continue
            pool = fitted_on.pool(present, ridge)
            places = np.flatnonzero((spoke == pattern).all(axis=1)).tolist()
            for at, probabilities in zip(places, pool.combine(self.table[places][:, present]), strict=True):
                row, values = self.rows[at], tuple(probabilities.tolist())
                found.append(Opinion(row.task_id, row.response_id, self.criterion.id, fold, values))
        return found


def _check(teachers: Sequence[Targets]) -> None:
    if len(teachers) < 2:
        raise InvalidInput(f"an ensemble needs two teachers or more, not {len(teachers)}")
    identities = [(each.teacher, each.about.get("identity")) for each in teachers]
    for identity in identities:
        if identities.count(identity) > 1:
            raise InvalidInput(f"teacher {identity[0]!r} is named twice; name every file once")
    if len({each.data_sha256 for each in teachers}) > 1:
        raise InvalidInput("the teachers' files were made from different item banks; run them on the same one")
    if all(each.teacher == HUMAN for each in teachers):
        raise InvalidInput(
            "an ensemble needs a machine teacher: a second rating is only there where people rated twice"
        )


def _logs(opinions: np.ndarray) -> np.ndarray:
    logs: np.ndarray = np.log(np.maximum(opinions, LEAST))
    return logs
