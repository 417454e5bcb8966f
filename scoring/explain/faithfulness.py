"""Whether highlights are true of the model: take words out, score again, compare with random words.

Comprehensiveness and sufficiency after DeYoung et al. 2020 (arXiv 1911.03429), deletion and
insertion curves after Petsiuk et al. 2018 (arXiv 1806.07421). An attribution has two ends, the words
that raised a number most and those that lowered it most, so comprehensiveness is the distance
between what is left without the one and without the other.
"""

from __future__ import annotations

from itertools import combinations
from math import comb, exp

import numpy as np

from scoring.explain.explanation import ExplainSettings, Faithfulness
from scoring.explain.game import Floats, Masks, Output, WordGame

FEWEST_WORDS = 5
"""With fewer words there are too few random pairs for one in twenty to mean anything."""
BEST_SHARE = 0.05
"""Highlights are shown when at most this share of random pairs, taken either way round, does as well.

Highlights that are themselves random pass about as often: they are one more such pair.
"""
FLOOR_POINTS = 0.02
"""Share of a criterion's range below which an effect is the noise of bf16, not a finding."""
FLOOR_LOG_ODDS = 0.1
"""The same for the log-odds of two levels."""


def random_pairs(words: int, settings: ExplainSettings) -> Masks:
    """Which words stay when random ones are taken out: (2, draws or fewer, words), pairs of sets with no word in both.

    As the highlights' own two ends have none in both: sets that overlap would differ less from each
    other, and chance would look weaker than it is. Where no more pairs than draws exist, there is each once.
    """
    size = min(cuts(words, settings.steps)[1], words // 2)
    if comb(words, size) * comb(words - size, size) // 2 <= settings.draws:
        sets = [set(chosen) for chosen in combinations(range(words), size)]
        found = {(tuple(a), tuple(b)) for a, b in combinations(map(sorted, sets), 2) if not set(a) & set(b)}
    else:
        generator = np.random.default_rng(settings.seed)
        found = set()
        while len(found) < settings.draws:
            chosen = generator.permutation(words)[: 2 * size].tolist()
            first, second = sorted([tuple(sorted(chosen[:size])), tuple(sorted(chosen[size:]))])
            found.add((first, second))
    masks = np.ones((2, len(found), words), dtype=bool)
    for index, pair in enumerate(sorted(found)):
        for side, gone in enumerate(pair):
            masks[side, index, list(gone)] = False
    return masks


def cuts(words: int, steps: int) -> list[int]:
    """How many words are taken out at each step of a curve, none and all included.

    >>> cuts(12, 4), cuts(2, 4)
    ([0, 3, 6, 9, 12], [0, 1, 1, 2, 2])
    """
    return [0, *(max(1, round(words * step / steps)) for step in range(1, steps + 1))]


def assess(game: WordGame, values: Floats, settings: ExplainSettings) -> list[Faithfulness]:
    """Test one attribution per output of the game; every copy that is needed is scored in one go.

    Args:
        game: with at least two words.
        values: (n, outputs) attributions, in the order of the game's outputs.
        settings: draws, steps and seed.
    """
    words = len(values)
    random = random_pairs(words, settings).reshape(-1, words)  # (2 * draws, words)
    masks = [_curve_masks(column, settings.steps) for column in values.T]
    scored = game(np.concatenate([random, *masks]))  # (2 * draws + outputs * copies, outputs)
    curves = scored[len(random) :].reshape(len(masks), len(masks[0]), -1)
    return [
        _compare(curves[index, :, index], scored[: len(random), index], words, settings)
        for index in range(values.shape[1])
    ]


def verdict(output: Output, value: float, tested: Faithfulness | None) -> tuple[bool, str]:
    """Whether an attribution may be shown, and the sentence that says why."""
    if tested is None:
        return False, "No words are highlighted: the answer has too few words to test which of them matter."
    of_score = output.lower is None
    subject = "this score" if of_score else f"the choice between {output.lower} and {_upper(output)}"
    floor = FLOOR_POINTS * (output.levels[-1] - output.levels[0]) if of_score else FLOOR_LOG_ODDS
    if max(tested.comprehensiveness, tested.random_comprehensiveness) < floor:
        return False, f"No words are highlighted: taking a few words out hardly changes {subject}."
    if tested.comprehensiveness < floor or tested.random_share > BEST_SHARE:
        return False, (
            f"No words are highlighted: taking out the words that seemed to matter changed {subject} "
            "no more than taking out words picked at random."
        )
    count = "1 word" if tested.deleted == 1 else f"{tested.deleted} words"
    which = f"the {count} that raised it most" if of_score else f"the {count} that spoke most for {_upper(output)}"
    whole = "this score is" if of_score else f"the odds of {_upper(output)} against {output.lower} are"
    top, chance = (_change(output, left - value) for left in (tested.without_top, tested.without_random))
    return (
        True,
        f"Tested by taking words out: without {which}, {whole} {top}; without {count} picked at random, {chance}.",
    )


def _change(output: Output, difference: float) -> str:
    if output.lower is None:
        points = f"{abs(difference):.2f}"
        return "unchanged" if float(points) == 0 else f"{points} points {'higher' if difference > 0 else 'lower'}"
    times = exp(abs(difference))
    if times < 1.05:
        return "unchanged"
    count = "over 100" if times > 100 else f"{times:.0f}" if times >= 9.95 else f"{times:.1f}"
    return f"{count} times {'higher' if difference > 0 else 'lower'}"


def _upper(output: Output) -> int:
    assert output.lower is not None
    return output.lower + 1


def _curve_masks(values: Floats, steps: int) -> Masks:
    """Copies for one attribution: a deletion and an insertion curve, then the answer without its last words."""
    order = np.argsort(-values, kind="stable")
    at = cuts(len(values), steps)
    masks = np.ones((2 * len(at) + 1, len(values)), dtype=bool)
    for index, cut in enumerate(at):
        masks[index, order[:cut]] = False
        masks[len(at) + index, order[cut:]] = False
    masks[-1, order[len(order) - at[1] :]] = False
    return masks


def _compare(copies: Floats, without_random: Floats, words: int, settings: ExplainSettings) -> Faithfulness:
    at = cuts(words, settings.steps)
    deletion, insertion, without_bottom = copies[: len(at)], copies[len(at) : 2 * len(at)], copies[-1]
    shares = np.array(at) / words
    comprehensiveness = without_bottom - deletion[1]
    first, second = without_random.reshape(2, -1)
    swings = np.concatenate([first - second, second - first])
    return Faithfulness(
        deleted=at[1],
        draws=len(without_random),
        without_top=float(deletion[1]),
        without_bottom=float(without_bottom),
        without_random=float(without_random.mean()),
        comprehensiveness=float(comprehensiveness),
        random_comprehensiveness=float(np.abs(swings).mean()),
        random_share=float((swings >= comprehensiveness).mean()),
        sufficiency=float(deletion[0] - insertion[1]),
        deletion_auc=float(np.trapezoid(deletion, shares)),
        insertion_auc=float(np.trapezoid(insertion, shares)),
    )
