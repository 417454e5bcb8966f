"""Owen values and their test, on a scorer whose rule is known."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from scoring.explain.explanation import ExplainSettings
from scoring.explain.faithfulness import BEST_SHARE, assess, cuts, random_pairs, verdict
from scoring.explain.game import Output, WordGame, neighbouring
from scoring.explain.shapley import owen_values
from scoring.explain.words import word_spans
from scoring.inference.engine import Reading

from .keyword import KeywordScorer

LEVELS = (0, 1, 2)
OUTPUTS = [Output("score", LEVELS), Output("score", LEVELS, 0), Output("score", LEVELS, 1)]
SETTINGS = ExplainSettings()
TEXT = "I think the salt makes it melt on a road because of the heat in it, which is wrong to say so."


def game_of(text: str) -> WordGame:
    return WordGame(KeywordScorer(), "ice", text, word_spans(text), OUTPUTS)


def ranked(text: str, values: np.ndarray) -> list[str]:
    return [text[slice(*word_spans(text)[i])].strip(",.") for i in np.argsort(-values, kind="stable")]


@pytest.mark.parametrize("count", [1, 2, 3, 17, 60, 500])
def test_base_value_and_words_make_up_the_value(count: int) -> None:
    filler = [f"word{n}" for n in range(count)]
    filler[count // 2] = "salt"
    game = game_of(" ".join(filler))
    base, full = game(np.array([np.zeros(count, dtype=bool), np.ones(count, dtype=bool)]))
    values = owen_values(game, SETTINGS.evaluations)
    assert values.shape == (count, 3)
    assert values.sum(0) + base == pytest.approx(full, abs=1e-9)


def test_the_planted_keywords_explain_the_score_and_every_choice_between_levels() -> None:
    values = owen_values(game_of(TEXT), SETTINGS.evaluations)
    for column in values.T:
        order = ranked(TEXT, column)
        assert order[:2] == ["salt", "heat"]
        assert order[-1] == "wrong"
    nothing = [i for i, word in enumerate(TEXT.split()) if word.strip(",.") not in ("salt", "heat", "wrong")]
    # The log-odds are a sum over keywords; in the score they saturate, and phrases share what is left.
    assert np.abs(values[nothing, 1:]).max() == pytest.approx(0, abs=1e-9)
    assert np.abs(values[nothing, 0]).max() < 0.2 * values[:, 0].max()


def test_a_keyword_is_found_among_more_words_than_evaluations() -> None:
    words = [f"w{n}" for n in range(400)]
    words[137] = "salt"
    values = owen_values(game_of(" ".join(words)), SETTINGS.evaluations)
    assert values[137, 0] == pytest.approx(values[:, 0].max())


def test_attributions_are_the_same_twice_and_leave_numpys_generator_alone() -> None:
    np.random.seed(7)
    expected = np.random.random(3)
    np.random.seed(7)
    first = owen_values(game_of(TEXT), 32)
    assert np.random.random(3) == pytest.approx(expected)
    assert (owen_values(game_of(TEXT), 32) == first).all()


def test_a_copy_of_the_answer_is_scored_once() -> None:
    game = game_of("salt and heat")
    masks = np.array([[True, False, True]] * 3)
    game(masks)
    game(masks)
    assert game._scorer.seen == ["salt heat"]


def test_true_highlights_pass_and_the_sentence_says_what_happened() -> None:
    game = game_of(TEXT)
    tested = assess(game, owen_values(game, SETTINGS.evaluations), SETTINGS)
    value = game(np.ones((1, len(game.spans)), dtype=bool))[0]
    for output, full, test in zip(OUTPUTS, value, tested, strict=True):
        trustworthy, sentence = verdict(output, full, test)
        assert trustworthy
        assert sentence.startswith("Tested by taking words out")
        assert "lower; without" in sentence
        assert test.comprehensiveness > test.random_comprehensiveness
        assert test.insertion_auc > test.deletion_auc


def test_false_highlights_are_withheld() -> None:
    game = game_of(TEXT)
    values = owen_values(game, SETTINGS.evaluations)
    order = random.Random(5).sample(range(len(values)), len(values))
    for wrong in (values[order], -values):
        trustworthy, sentence = verdict(OUTPUTS[0], 1.0, assess(game, wrong, SETTINGS)[0])
        assert not trustworthy
        assert "no more than taking out words picked at random" in sentence


def test_an_answer_that_no_word_moves_has_no_highlights() -> None:
    game = game_of("I do not know what to write about this")
    tested = assess(game, owen_values(game, 64), SETTINGS)
    trustworthy, sentence = verdict(OUTPUTS[0], 0.4, tested[0])
    assert not trustworthy
    assert sentence == "No words are highlighted: taking a few words out hardly changes this score."


def test_too_few_words_are_not_tested() -> None:
    assert verdict(OUTPUTS[0], 1.0, None)[0] is False


@pytest.mark.parametrize("words", [2, 3, 5, 6, 12, 60, 500])
def test_random_pairs_are_distinct_apart_and_as_large_as_the_deleted_set(words: int) -> None:
    masks = random_pairs(words, SETTINGS)
    gone = ~masks
    assert not (gone[0] & gone[1]).any()
    assert set(gone.sum(-1).flat) == {cuts(words, SETTINGS.steps)[1]}
    pairs = {frozenset({first.tobytes(), second.tobytes()}) for first, second in zip(*masks, strict=True)}
    assert len(pairs) == masks.shape[1] == min(SETTINGS.draws, words * (words - 1) // 2)
    assert (random_pairs(words, SETTINGS) == masks).all()


def test_highlights_by_chance_pass_one_time_in_twenty() -> None:
    """On a score to which every word adds something of its own, so that no floor and no tie decides."""
    words = 30
    worth = np.random.default_rng(1).normal(size=words)

    class Sum:
        def __init__(self) -> None:
            self.tasks = {"ice": {"score": LEVELS}}

        def read(self, task_id: str, texts: Sequence[str]) -> Reading:
            odds = np.array([sum(worth[int(word[1:])] for word in text.split()) for text in texts]) / 3
            logits = np.stack([np.zeros(len(texts)), odds, np.full(len(texts), -99.0)], axis=1)
            nothing = np.zeros((len(texts), 0))
            log_probabilities = logits - np.log(np.exp(logits).sum(1, keepdims=True))
            return Reading({"score": log_probabilities}, nothing[:, :, None], nothing, np.zeros(len(texts), dtype=bool))

    text = " ".join(f"w{n}" for n in range(words))
    game = WordGame(Sum(), "ice", text, word_spans(text), [Output("score", LEVELS, 0)])
    generator = np.random.default_rng(2)
    passed = [
        assess(game, generator.normal(size=(words, 1)), ExplainSettings(seed=seed))[0].random_share <= BEST_SHARE
        for seed in range(600)
    ]
    assert 0.03 <= np.mean(passed) <= 0.07


@pytest.mark.parametrize(("level", "pairs"), [(0, [0]), (1, [0, 1]), (2, [1])])
def test_a_level_is_compared_with_its_neighbours(level: int, pairs: list[int]) -> None:
    assert neighbouring(LEVELS, level) == pairs
