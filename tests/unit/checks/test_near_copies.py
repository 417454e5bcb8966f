"""Short answers that are a classmate's, letter by letter: slips don't hide it, and what everybody says is no copy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.checks.copying import shingles
from scoring.checks.near_copies import near_copies
from scoring.checks.words import tokens

LIMITS = {"words": 6, "longest": 24, "likeness": 0.85}
SAID = "heat rises so it rised up the spoons"


def matches(texts: list[str], learners: list[int] | None = None, task: str = "") -> list[int | None]:
    read = [tokens(text) for text in texts]
    whose = learners or list(range(len(texts)))
    return [m.index if m else None for m in near_copies(read, whose, shingles(tokens(task)), **LIMITS)]


@pytest.mark.parametrize(
    "copy", [SAID, "Heat rises, so it rised up the spoons!!", "heat risse so it rised up teh spoons"]
)
def test_slips_and_signs_do_not_hide_a_copy(copy: str) -> None:
    assert matches([SAID, "the metal one is warm because it conducts", copy]) == [2, None, 0]


def test_a_few_words_more_or_other_ones_are_no_copy() -> None:
    assert matches([SAID, "heat rises so the wooden spoon stays rather cold", "heat rises so it"]) == [None] * 3


def test_another_attempt_and_what_the_task_says_are_no_copies() -> None:
    assert matches([SAID, SAID], learners=[4, 4]) == [None, None]
    assert matches([SAID, SAID], task=f"Ben says that {SAID}.") == [None, None]


def test_what_many_say_is_the_usual_answer() -> None:
    assert matches([SAID] * 3) == [1, 0, 0]
    assert matches([SAID] * 4) == [None] * 4


@given(st.lists(st.text("ab ", max_size=30), max_size=8))
def test_a_match_is_another_answer_and_goes_both_ways(texts: list[str]) -> None:
    found = matches(texts)
    assert len(found) == len(texts)
    for index, other in enumerate(found):
        assert other != index
        assert other is None or found[other] is not None
