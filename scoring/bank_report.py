"""What an item bank holds, in figures: levels, lengths, variety of wording, agreement of two ratings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from scoring.agreement import (
    bootstrap_kappas,
    draw_resamples,
    exact_agreement,
    percentile_interval,
    quadratic_weighted_kappa,
)
from scoring.domain import Criterion
from scoring.itembank import ItemBank, LabelledResponse

_WORD = re.compile(r"\w+", re.UNICODE)


@dataclass(frozen=True)
class Variety:
    """How different the texts of one task are from each other; blanks are left out.

    `distinct` are, for word 1-, 2- and 3-grams, the different ones over all of that length, 0 to 1
    (distinct-n of Li et al. 2016). `nearest` is, over texts, the similarity to the most similar other text:
    Jaccard index of character 5-gram sets, 0 (nothing shared) to 1 (the same).
    """

    texts: int
    words_median: float
    words_longest: int
    distinct: tuple[float, float, float]
    nearest_median: float
    nearest_highest: float
    nearest_pair: tuple[str, str]


@dataclass(frozen=True)
class RatingAgreement:
    """Agreement of the first and second rating on one criterion, over the texts that have both."""

    criterion_id: str
    n: int
    qwk: float
    low: float
    high: float
    exact: float


def variety(responses: Sequence[LabelledResponse]) -> Variety:
    """Measure the texts of one task; needs two texts that are not blank."""
    texts = [(r.response_id, " ".join(r.text.lower().split())) for r in responses if r.text.strip()]
    tokens = [_WORD.findall(text) for _, text in texts]
    nearest, pair = _nearest([_grams(text, 5) for _, text in texts])
    return Variety(
        texts=len(texts),
        words_median=median(len(words) for words in tokens),
        words_longest=max(len(words) for words in tokens),
        distinct=(_distinct(tokens, 1), _distinct(tokens, 2), _distinct(tokens, 3)),
        nearest_median=float(np.median(nearest)),
        nearest_highest=float(nearest.max()),
        nearest_pair=(texts[pair[0]][0], texts[pair[1]][0]),
    )


def level_counts(criterion: Criterion, responses: Sequence[LabelledResponse]) -> list[int]:
    """How many responses the first rating puts at each level, ascending."""
    return [sum(r.levels.get(criterion.id) == value for r in responses) for value in criterion.values]


def rating_agreement(criterion: Criterion, responses: Sequence[LabelledResponse]) -> RatingAgreement | None:
    """QWK (95% bootstrap interval) and exact agreement of two ratings; `None` where fewer than two have both."""
    pairs = [
        (r.levels[criterion.id], r.second[criterion.id])
        for r in responses
        if criterion.id in r.levels and criterion.id in r.second
    ]
    if len(pairs) < 2:
        return None
    first, second = np.array(pairs).T
    interval = percentile_interval(bootstrap_kappas(first, second, draw_resamples(len(pairs))))
    return RatingAgreement(
        criterion.id,
        len(pairs),
        quadratic_weighted_kappa(first, second),
        interval.low,
        interval.high,
        exact_agreement(first, second),
    )


def report(bank: ItemBank) -> str:
    """The whole report as Markdown tables."""
    lines = [
        "| task | answers | words, median | longest | distinct 1/2/3-grams | nearest other, median | highest | pair |",
        "|---|---|---|---|---|---|---|---|",
    ]
    agreement = [
        "| task | criterion | answers per level | rated twice | QWK of the two ratings (95%) | same level |",
        "|---|---|---|---|---|---|",
    ]
    for task in bank.tasks.values():
        responses = bank.of_task(task.id)
        if sum(bool(r.text.strip()) for r in responses) < 2:
            continue
        found = variety(responses)
        grams = " / ".join(f"{share:.2f}" for share in found.distinct)
        lines.append(
            f"| {task.id} | {len(responses)} | {found.words_median:.0f} | {found.words_longest} | {grams} "
            f"| {found.nearest_median:.2f} | {found.nearest_highest:.2f} | {' ~ '.join(found.nearest_pair)} |"
        )
        for criterion in task.criteria:
            counts = " / ".join(str(count) for count in level_counts(criterion, responses))
            two = rating_agreement(criterion, responses)
            figures = "0 | – | –"
            if two is not None:
                figures = f"{two.n} | {two.qwk:.2f} ({two.low:.2f} to {two.high:.2f}) | {two.exact:.2f}"
            agreement.append(f"| {task.id} | {criterion.id} | {counts} | {figures} |")
    return "\n".join([*lines, "", *agreement])


def _grams(text: str, length: int) -> set[str]:
    return {text[i : i + length] for i in range(max(1, len(text) - length + 1))}


def _distinct(tokens: Sequence[Sequence[str]], length: int) -> float:
    grams = [tuple(words[i : i + length]) for words in tokens for i in range(len(words) - length + 1)]
    return len(set(grams)) / len(grams) if grams else 0.0


def _nearest(sets: Sequence[set[str]]) -> tuple[np.ndarray, tuple[int, int]]:
    similarity = np.zeros((len(sets), len(sets)))
    for i, one in enumerate(sets):
        for j in range(i):
            shared = len(one & sets[j])
            similarity[i, j] = similarity[j, i] = shared / (len(one) + len(sets[j]) - shared)
    i, j = divmod(int(similarity.argmax()), len(sets))
    return similarity.max(axis=1), (i, j)
