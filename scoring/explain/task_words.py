"""Words that move scores up and down over many answers to one task. Needs neither PyTorch nor shap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from scoring.explain.explanation import Explanation
from scoring.explain.words import bare_word


@dataclass(frozen=True)
class WordEffect:
    """What one word did to one criterion's score in the answers that have it."""

    word: str  # lower case, without marks around it
    answers: int  # how many have it
    effect: float  # mean over these answers of the points that the word's occurrences moved together
    margin: float  # half the width of the 95% interval of that mean (normal approximation), points


@dataclass(frozen=True)
class TaskWords:
    """Words by their effect, strongest first, from the explanations that passed their test."""

    up: tuple[WordEffect, ...]
    down: tuple[WordEffect, ...]
    answers: int  # explanations that passed
    withheld: int  # explanations that didn't, and are left out


def word_effects(
    explained: Iterable[tuple[str, Explanation]], criterion_id: str, *, fewest_answers: int = 3, count: int = 20
) -> TaskWords:
    """Gather the attributions of many answers by word.

    Only words whose effect's interval leaves out zero are listed.

    Args:
        explained: pairs of an answer's text and its complete explanation.
        criterion_id: whose expected score.
        fewest_answers: a word in fewer answers says nothing about the task; at least 2.
        count: words in each direction at most.
    """
    moved: dict[str, list[float]] = defaultdict(list)
    passed = withheld = 0
    for text, explanation in explained:
        attribution = explanation.criterion(criterion_id).attribution
        if attribution is None or not attribution.trustworthy:
            withheld += 1
            continue
        passed += 1
        of_answer: dict[str, float] = defaultdict(float)
        for (start, end), value in zip(explanation.spans, attribution.values, strict=True):
            of_answer[bare_word(text[start:end])] += value
        for word, value in of_answer.items():
            moved[word].append(value)
    effects = [_effect(word, values) for word, values in moved.items() if len(values) >= max(2, fewest_answers)]
    return TaskWords(
        up=_strongest([e for e in effects if e.effect > e.margin], count),
        down=_strongest([e for e in effects if -e.effect > e.margin], count),
        answers=passed,
        withheld=withheld,
    )


def _effect(word: str, values: Sequence[float]) -> WordEffect:
    return WordEffect(word, len(values), fmean(values), 1.96 * stdev(values) / sqrt(len(values)))


def _strongest(effects: Sequence[WordEffect], count: int) -> tuple[WordEffect, ...]:
    return tuple(sorted(effects, key=lambda e: (-abs(e.effect), e.word))[:count])
