"""Word and character n-grams: several classical learners per task and criterion, stacked.

The learners' opinions on rows that they were not fitted on, from folds inside the given rows, teach
a multinomial logistic regression how to weigh them (Wolpert 1992, stacked generalization).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.linalg import solve
from scipy.sparse import csr_matrix
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor
from sklearn.feature_selection import f_regression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.svm import SVR
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from scoring.domain import Task
from scoring.errors import InvalidInput
from scoring.itembank import LabelledResponse
from scoring.student.text import clean_text
from scoring.training.teachers.ngram_views import Views
from scoring.training.teachers.teacher import Key, Probabilities, level_targets

FEWEST = 20
"""Labelled answers below which a criterion gets its label frequencies and nothing is learnt."""

FLOOR = 0.01
"""Share of every opinion that is spread evenly, since a level nobody was given so far is not impossible."""


@dataclass(frozen=True)
class NgramTeacher:
    """Hyper-parameters of the learners and their stack."""

    ridge: float = 0.4  # penalty of kernel ridge regressions, in units of the kernel's diagonal
    margin: float = 1.0  # C of the support vector regression
    trees: int = 100  # of the randomised forest, and of the boosted one
    terms: int = 400  # stems and neighbours that trees see, those that vary most with the score
    stack: float = 0.3  # C of the logistic regression that weighs the learners
    inner_folds: int = 5  # folds inside the given rows, for the stack
    second_weight: float = 0.3  # share of the second rating in the target, where there is one
    name: str = "ngram"

    def __post_init__(self) -> None:
        for name, least in (("trees", 1), ("terms", 1), ("inner_folds", 2)):
            if getattr(self, name) < least:
                raise InvalidInput(f"{name}: {getattr(self, name)!r} is below {least}")
        for name in ("ridge", "margin", "stack"):
            if not getattr(self, name) > 0:
                raise InvalidInput(f"{name}: {getattr(self, name)!r} is not above 0")
        if not 0 <= self.second_weight <= 1:
            raise InvalidInput(f"second_weight: {self.second_weight!r} is not in [0, 1]")

    def to_json(self) -> dict[str, Any]:
        """All values."""
        return asdict(self)

    def fit(
        self, tasks: Mapping[str, Task], rows: Sequence[LabelledResponse], *, seed: int, device: str = "cpu",
        progress: bool = True,
    ) -> FittedNgrams:  # fmt: skip
        """Learn each task and criterion by itself, on one core whatever the device."""
        models: dict[Key, _Stacked | _Frequencies] = {}
        views: dict[str, Views | None] = {}
        with threadpool_limits(1), tqdm(tasks.values(), desc="n-grams", file=sys.stderr, disable=not progress) as bar:
            for task in bar:
                own = [row for row in rows if row.task_id == task.id]
                texts = [clean_text(row.text) for row in own]
                views[task.id] = seen = _views(texts)
                kernels = seen.kernels() if seen else {}
                for criterion_id, target in level_targets(task, own, second_weight=self.second_weight).items():
                    known = np.flatnonzero(~np.isnan(target[:, 0]))
                    distinct = {texts[at].casefold() for at in known}
                    rated = target[known]
                    if seen is None or len(distinct) < FEWEST or (rated.sum(axis=0) > 0).sum() < 2:
                        models[task.id, criterion_id] = _Frequencies(rated)
                    else:
                        own_texts = [texts[at] for at in known]
                        models[task.id, criterion_id] = _Stacked(self, seen, kernels, known, own_texts, rated, seed)
        return FittedNgrams(views, models)


class FittedNgrams:
    """A stack per task and criterion; label frequencies where there was too little to learn from."""

    def __init__(self, views: Mapping[str, Views | None], models: Mapping[Key, _Stacked | _Frequencies]) -> None:
        self._views, self._models = views, models

    def predict_proba(self, task_id: str, rows: Sequence[LabelledResponse]) -> Probabilities:
        """Criterion id -> (n, L)."""
        texts = [clean_text(row.text) for row in rows]
        views = self._views[task_id]
        with threadpool_limits(1):
            kernels = views.kernels(texts) if views and texts else {}
            return {
                criterion_id: model.predict(kernels, texts)
                for (task, criterion_id), model in self._models.items()
                if task == task_id
            }


class _Frequencies:
    """How often each level was given, plus one, whatever the text."""

    def __init__(self, target: np.ndarray) -> None:
        given = target.sum(axis=0) + 1
        self._shares = given / given.sum()

    def predict(self, kernels: Mapping[str, np.ndarray], texts: Sequence[str]) -> np.ndarray:
        """(n, L)."""
        return np.tile(self._shares, (len(texts), 1))


class _Stacked:
    """One criterion: learners fitted on all its rows, and how to weigh them."""

    def __init__(
        self, config: NgramTeacher, views: Views, kernels: Mapping[str, np.ndarray], known: np.ndarray,
        texts: Sequence[str], target: np.ndarray, seed: int,
    ) -> None:  # fmt: skip
        self._views, self._known = views, known
        own = {name: kernel[np.ix_(known, known)] for name, kernel in kernels.items()}
        table, counts = views.table(texts), views.counts(texts)
        opinions: np.ndarray | None = None
        groups = [text.casefold() for text in texts]
        folds = GroupKFold(config.inner_folds, shuffle=True, random_state=seed)
        for rest, left in folds.split(np.zeros(len(texts)), groups=groups):
            inner = {name: kernel[np.ix_(rest, rest)] for name, kernel in own.items()}
            learners = _Learners(config, inner, table[rest], counts[rest], target[rest], seed)
            across = {name: kernel[np.ix_(left, rest)] for name, kernel in own.items()}
            part = learners.predict(across, table[left], counts[left])
            opinions = np.zeros((len(texts), part.shape[1])) if opinions is None else opinions
            opinions[left] = part
        assert opinions is not None
        self._stack = _Stack(config.stack, opinions, target)
        self._learners = _Learners(config, own, table, counts, target, seed)

    def predict(self, kernels: Mapping[str, np.ndarray], texts: Sequence[str]) -> np.ndarray:
        """(n, L)."""
        if not texts:
            return np.zeros((0, self._stack.levels))
        across = {name: kernel[:, self._known] for name, kernel in kernels.items()}
        opinions = self._learners.predict(across, self._views.table(texts), self._views.counts(texts))
        return self._stack.predict(opinions)


class _Learners:
    """What is fitted on the same rows: kernel ridge and support vector regressions, and two kinds of trees.

    Ridges and the randomised forest are taught the probability of reaching each level above the
    lowest, which keeps the levels' order; support vectors and boosting the expected level.
    """

    def __init__(
        self, config: NgramTeacher, kernels: Mapping[str, np.ndarray], table: csr_matrix, counts: np.ndarray,
        target: np.ndarray, seed: int,
    ) -> None:  # fmt: skip
        reached = np.cumsum(target[:, ::-1], axis=1)[:, ::-1][:, 1:]  # (n, L - 1)
        score = reached.sum(axis=1)  # (n,) levels above the lowest
        self._mean = reached.mean(axis=0)
        self._ridges = {
            name: solve(kernel + config.ridge * np.eye(len(kernel)), reached - self._mean, assume_a="pos")
            for name, kernel in kernels.items()
        }
        self._margin = SVR(kernel="precomputed", C=config.margin, epsilon=0.2).fit(kernels["linear"], score)
        self._radial = SVR(kernel="precomputed", C=config.margin, epsilon=0.1).fit(kernels["radial"], score)
        with np.errstate(divide="ignore", invalid="ignore"):
            relevance = np.nan_to_num(f_regression(table, score)[0])
        self._terms = np.argsort(-relevance, kind="stable")[: config.terms]
        seen = self._dense(table, counts)
        self._forest = ExtraTreesRegressor(
            config.trees, min_samples_leaf=2, max_features=0.15, random_state=seed
        ).fit(seen, reached if reached.shape[1] > 1 else score)  # fmt: skip
        self._boosted = GradientBoostingRegressor(
            n_estimators=config.trees, learning_rate=0.07, max_depth=4, min_samples_leaf=3, subsample=0.6,
            max_features=0.1, random_state=seed,
        ).fit(seen, score)  # fmt: skip

    def predict(self, kernels: Mapping[str, np.ndarray], table: csr_matrix, counts: np.ndarray) -> np.ndarray:
        """(n, columns): all learners' opinions side by side."""
        seen = self._dense(table, counts)
        parts = [kernels[name] @ ridge + self._mean for name, ridge in self._ridges.items()]
        parts += [self._margin.predict(kernels["linear"]), self._radial.predict(kernels["radial"])]
        parts += [self._forest.predict(seen), self._boosted.predict(seen)]
        return np.column_stack(parts)

    def _dense(self, table: csr_matrix, counts: np.ndarray) -> np.ndarray:
        return np.hstack([table[:, self._terms].toarray(), counts]).astype(np.float32)


class _Stack:
    """Multinomial logistic regression from the learners' opinions to a distribution over levels."""

    def __init__(self, strength: float, opinions: np.ndarray, target: np.ndarray) -> None:
        self._centre, self._spread = opinions.mean(axis=0), opinions.std(axis=0) + 1e-9
        rows, self.levels = target.shape
        seen = np.repeat(self._features(opinions), self.levels, axis=0)
        level, weight = np.tile(np.arange(self.levels), rows), target.ravel()
        counted = weight > 0
        self._model = LogisticRegression(C=strength, max_iter=2000)
        self._model.fit(seen[counted], level[counted], sample_weight=weight[counted])

    def predict(self, opinions: np.ndarray) -> np.ndarray:
        """(n, L)."""
        table = np.full((len(opinions), self.levels), FLOOR / self.levels)
        table[:, self._model.classes_] += (1 - FLOOR) * self._model.predict_proba(self._features(opinions))
        exact: np.ndarray = table / table.sum(axis=1, keepdims=True)
        return exact

    def _features(self, opinions: np.ndarray) -> np.ndarray:
        """(n, columns + 1): the middle levels are likeliest in the middle, hence the squared mean."""
        standard = (opinions - self._centre) / self._spread
        return np.column_stack([standard, standard.mean(axis=1) ** 2])


def _views(texts: Sequence[str]) -> Views | None:
    try:
        return Views(texts)
    except ValueError:  # no word in any text
        return None
