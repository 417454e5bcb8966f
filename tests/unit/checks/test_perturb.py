"""Worse answers come from the given ones, the same for the same seed, each worse in its own way."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from scoring.checks.copying import overlap, shingles
from scoring.checks.perturb import Perturbation, perturb
from scoring.checks.phrases import OFF_TOPIC, OTHER_LANGUAGES
from scoring.checks.words import tokens
from scoring.domain import Task
from scoring.errors import InvalidInput


@pytest.mark.parametrize("kind", list(Perturbation))
def test_the_seed_decides(puddle: Task, class_of_twelve: list[str], kind: Perturbation) -> None:
    first = perturb(kind, puddle, class_of_twelve, 20, seed=1)
    assert len(first) == 20
    assert first == perturb(kind, puddle, class_of_twelve, 20, seed=1)
    assert first != perturb(kind, puddle, class_of_twelve, 20, seed=2)
    assert all(0 <= made.source < len(class_of_twelve) for made in first)


def made(kind: Perturbation, task: Task, answers: list[str], **more: object) -> list[tuple[str, str]]:
    """Pairs of the answer that was given and what became of it."""
    worse = perturb(kind, task, answers, 30, seed=5, **more)  # type: ignore[arg-type]
    return [(answers[each.source], each.text) for each in worse]


def test_blank_has_no_words(puddle: Task, class_of_twelve: list[str]) -> None:
    assert not any(tokens(worse) for _, worse in made(Perturbation.BLANK, puddle, class_of_twelve))


def test_shuffled_has_the_same_words_in_another_order(puddle: Task, class_of_twelve: list[str]) -> None:
    pairs = made(Perturbation.SHUFFLED, puddle, class_of_twelve)
    assert all(Counter(given.split()) == Counter(worse.split()) for given, worse in pairs)
    assert any(given != worse for given, worse in pairs)


def test_keywords_are_content_words_of_the_answer(puddle: Task, class_of_twelve: list[str]) -> None:
    for given, worse in made(Perturbation.KEYWORDS, puddle, class_of_twelve):
        assert set(tokens(worse)) < set(tokens(given))
        assert "the" not in tokens(worse)


def test_negated_says_not_where_it_did_not(puddle: Task, class_of_twelve: list[str]) -> None:
    for given, worse in made(Perturbation.NEGATED, puddle, class_of_twelve):
        assert (" not " in f" {worse} ") != (" not " in f" {given} ")


def test_repeated_comes_at_least_three_times(puddle: Task, class_of_twelve: list[str]) -> None:
    assert all(
        max(Counter(worse.split()).values()) >= 3 for _, worse in made(Perturbation.REPEATED, puddle, class_of_twelve)
    )


def test_a_prompt_copy_is_from_the_task(puddle: Task, class_of_twelve: list[str]) -> None:
    texts = (puddle.prompt, puddle.stimulus, *(level.descriptor for level in puddle.criteria[0].levels))
    shown = frozenset().union(*(shingles(tokens(text)) for text in texts))
    assert all(
        overlap(tokens(worse), shown).share > 0.5
        for _, worse in made(Perturbation.PROMPT_COPY, puddle, class_of_twelve)
    )


def test_off_topic_comes_from_elsewhere_or_from_stock(puddle: Task, class_of_twelve: list[str]) -> None:
    assert {worse for _, worse in made(Perturbation.OFF_TOPIC, puddle, class_of_twelve)} <= set(OFF_TOPIC)
    elsewhere = made(Perturbation.OFF_TOPIC, puddle, class_of_twelve, elsewhere=["an answer about magnets"])
    assert {worse for _, worse in elsewhere} == {"an answer about magnets"}


def test_other_languages_are_not_english() -> None:
    assert "en" not in OTHER_LANGUAGES
    assert len(OTHER_LANGUAGES) >= 15


def test_there_must_be_something_to_start_from(puddle: Task) -> None:
    with pytest.raises(InvalidInput, match="no answer with words"):
        perturb(Perturbation.SHUFFLED, puddle, ["", "..."], 1, seed=0)
    with pytest.raises(InvalidInput, match="reference_answers are needed"):
        perturb(Perturbation.REFERENCE_COPY, replace(puddle, reference_answers=()), ["an answer"], 1, seed=0)
