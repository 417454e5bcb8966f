"""Shared runs of words are counted exactly, and the closest classmate is the one a full comparison would name."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.checks.copying import SHINGLE, closest_classmates, overlap, shingles

words = st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f"]), max_size=25)


@given(words, words)
def test_an_overlap_is_a_share_of_the_text(text: list[str], other: list[str]) -> None:
    found = overlap(text, shingles(other))
    assert 0 <= found.run <= found.words <= len(text)
    assert found.share == (found.words / len(text) if text else 0)
    if len(text) >= SHINGLE:
        assert overlap(text, shingles(text)).words == len(text)


@given(st.lists(words, min_size=2, max_size=6))
@settings(max_examples=80)
def test_a_match_holds_what_it_claims(answers: list[list[str]]) -> None:
    matches = closest_classmates(answers, range(len(answers)), frozenset(), words=6, share=0.5)
    for answer, match in zip(answers, matches, strict=True):
        if match is not None:
            assert match.overlap == overlap(answer, shingles(answer) & shingles(answers[match.index]))
            assert match.overlap.words >= 6
            assert match.overlap.share >= 0.5


def test_a_copy_among_many_is_found() -> None:
    answers = [[f"w{number}{place}" for place in range(20)] for number in range(50)]
    answers.append(["well", *answers[17][:18]])
    matches = closest_classmates(answers, range(51), frozenset(), words=15, share=0.7)
    assert matches[50] is not None
    assert matches[50].index == 17
    assert matches[17] is not None
    assert matches[17].index == 50
    assert sum(match is not None for match in matches) == 2


def test_what_the_task_shows_does_not_link_answers() -> None:
    shown = [f"p{place}" for place in range(20)]
    matches = closest_classmates([shown, list(shown)], [1, 2], shingles(shown), words=15, share=0.7)
    assert matches == [None, None]


def test_nobody_copies_from_oneself() -> None:
    answer = [f"w{place}" for place in range(20)]
    assert closest_classmates([answer, answer], ["ann", "ann"], frozenset(), words=15, share=0.7) == [None, None]
