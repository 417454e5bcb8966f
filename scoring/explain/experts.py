"""What excites each expert: the answers to which it contributes most, their words, and how people scored them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from math import log, sqrt

import numpy as np

from scoring.explain.gates import profile_of
from scoring.explain.neighbours import Neighbourhood
from scoring.explain.words import bare_word, word_spans

TYPICAL_SHARE = 0.1
"""An expert's typical answers: this share of the bank, those that give it the most weight."""
CERTAIN = 1.96
"""A word is typical when its contrast is so many standard errors from none."""


@dataclass(frozen=True)
class TypicalAnswer:
    """An answer to which an expert contributes much."""

    task_id: str
    id: str
    weight: float
    levels: Mapping[str, int]  # as people scored it


@dataclass(frozen=True)
class TypicalWord:
    """A word that an expert's typical answers have more often than the rest of the bank."""

    word: str
    contrast: float  # log-odds ratio in standard errors
    answers: int  # typical answers that have it


@dataclass(frozen=True)
class ExpertDescription:
    """What excites one expert; it has no other name than its number."""

    layer: int
    expert: int
    weight: float  # mean over the bank's tasks
    tasks: Mapping[str, float]  # task id -> mean weight
    answers: tuple[TypicalAnswer, ...]  # most weight first
    words: tuple[TypicalWord, ...]  # strongest contrast first
    points_share: float | None  # mean share of the points that people gave its typical answers; None if unscored
    other_points_share: float | None  # the same for the rest of the bank


def describe_experts(
    bank: Mapping[str, Neighbourhood], shapes: Mapping[str, Mapping[str, Sequence[int]]], *,
    answers: int = 3, words: int = 12,
) -> tuple[ExpertDescription, ...]:  # fmt: skip
    """What each expert of each layer answers to, over the whole bank.

    Args:
        bank: task id -> known answers, read by one student version.
        shapes: task id -> criterion id -> score points, as `Engine.tasks` has them.
        answers: typical answers to name at most.
        words: typical words to name at most.
    """
    profile = profile_of(bank)
    rows = [(task_id, answer) for task_id, known in bank.items() for answer in known.answers]
    if not rows:
        return ()
    gates = np.concatenate([known.gates for known in bank.values() if known.answers])  # (N, layers, E)
    vocabulary = [_vocabulary(answer.text) for _, answer in rows]
    shares = np.array([_points_share(answer.levels, shapes[task_id]) for task_id, answer in rows])
    typical_count = max(1, round(TYPICAL_SHARE * len(rows)))
    found = []
    for layer, expert in np.ndindex(*gates.shape[1:]):
        order = np.argsort(-gates[:, layer, expert], kind="stable").tolist()
        typical, rest = order[:typical_count], order[typical_count:]
        found.append(
            ExpertDescription(
                layer=layer,
                expert=expert,
                weight=profile.weights[layer][expert],
                tasks={task_id: task.weights[layer][expert] for task_id, task in profile.tasks.items()},
                answers=tuple(
                    TypicalAnswer(task_id, answer.id, float(gates[i, layer, expert]), dict(answer.levels))
                    for i in typical[:answers]
                    for task_id, answer in [rows[i]]
                ),
                words=contrast([vocabulary[i] for i in typical], [vocabulary[i] for i in rest])[:words],
                points_share=_known_mean(shares[typical]),
                other_points_share=_known_mean(shares[rest]),
            )
        )
    return tuple(found)


def contrast(here: Sequence[frozenset[str]], elsewhere: Sequence[frozenset[str]]) -> tuple[TypicalWord, ...]:
    """Words that are more frequent in some answers than in others, surest first.

    Log-odds ratio with an informative Dirichlet prior (Monroe et al. 2008, eqs. 15-22), over how many
    answers have a word; the prior is the word's share in both parts, worth one count per distinct word.

    >>> contrast([frozenset({"salt", "the"})] * 20, [frozenset({"heat", "the"})] * 20)[0].word
    'salt'
    """
    first, second = (Counter(chain.from_iterable(part)) for part in (here, elsewhere))
    both = first + second
    n_first, n_second, n_both = first.total(), second.total(), both.total()
    strength = len(both)
    if strength < 2:
        return ()
    found = []
    for word, count in both.items():
        prior = strength * count / n_both
        y1, y2 = first[word] + prior, second[word] + prior
        log_odds = log(y1 / (n_first + strength - y1)) - log(y2 / (n_second + strength - y2))
        z = log_odds / sqrt(1 / y1 + 1 / y2)
        if z > CERTAIN:
            found.append(TypicalWord(word, z, first[word]))
    return tuple(sorted(found, key=lambda w: (-w.contrast, w.word)))


def _vocabulary(text: str) -> frozenset[str]:
    return frozenset(bare_word(text[start:end]) for start, end in word_spans(text))


def _points_share(levels: Mapping[str, int], shape: Mapping[str, Sequence[int]]) -> float:
    """Points over the most that the scored criteria can give, counted from their lowest level; nan when unscored."""
    scored = [c for c in levels if c in shape]
    if not scored:
        return float("nan")
    most = sum(shape[c][-1] - shape[c][0] for c in scored)
    return sum(levels[c] - shape[c][0] for c in scored) / most


def _known_mean(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
