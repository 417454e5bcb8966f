"""Groups hold answers that say the same, ids do not depend on order, and consistency finds what differs in score."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.checks.alike import AlikePair, alike_groups, near_identical_pairs, nearest_answers

SAME = [
    "The water evaporated because of the sun.",
    "the water evaporates because of the sun",
    "Water evaporated, becuase of the sun!!",
    "I think the water evapurated because of the sun",
]


def test_spelling_inflection_fillers_and_punctuation_make_no_difference() -> None:
    assert len(set(alike_groups(SAME))) == 1
    assert None not in alike_groups(SAME)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("the mass increased", "the mass decreased"),
        ("the mass changed", "the mass did not change"),
        ("terminal 1 is connected", "terminal 2 is connected"),
        ("the fox eats the rabbit", "the rabbit eats the fox"),
        ("it is hot", "it is cold"),
        ("the positive battery terminal is separated by a gap from terminal six of the whole circuit",
         "the negative battery terminal is separated by a gap from terminal six of the whole circuit"),
        ("no, the sugar is still in the jar and you can taste it in the water at the top of the jar",
         "yes, the sugar is still in the jar and you can taste it in the water at the top of the jar"),
    ],
)  # fmt: skip
def test_answers_that_differ_in_meaning_stay_apart(one: str, other: str) -> None:
    assert alike_groups([one, other]) == [None, None]


def test_a_long_answer_with_a_word_more_is_alike() -> None:
    longer = (
        "the particles in the hot end shake fast and bump the next particles and those bump the next ones until the "
        "shaking gets to the top of the spoon where my hand is"
    )
    groups = alike_groups([longer, f"{longer} anyway"])
    assert groups[0] == groups[1] is not None


def test_blank_answers_are_in_no_group() -> None:
    assert alike_groups(["", " ", "...", "🙂", ""]) == [None] * 5


def test_numbers_alone_are_alike_only_if_equal() -> None:
    assert alike_groups(["0.4", "0.40", "0.4"])[0] == alike_groups(["0.4", "0.40", "0.4"])[2]
    assert alike_groups(["0.4", "0.45"]) == [None, None]


VOCABULARY = ["the", "sun", "heats", "water", "particles", "move", "faster", "not", "evaporated", "gas", "42"]
answers = st.lists(st.lists(st.sampled_from(VOCABULARY), max_size=9).map(" ".join), max_size=15)


@given(answers, st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_groups_follow_their_answers_into_any_order(texts: list[str], rng: random.Random) -> None:
    order = list(range(len(texts)))
    rng.shuffle(order)
    groups = alike_groups(texts)
    assert alike_groups([texts[index] for index in order]) == [groups[index] for index in order]
    sizes = {group: groups.count(group) for group in groups if group is not None}
    assert all(size > 1 for size in sizes.values())


@given(answers)
@settings(max_examples=60, deadline=None)
def test_the_same_text_is_always_in_the_same_group(texts: list[str]) -> None:
    groups = alike_groups(texts + texts)
    assert groups[: len(texts)] == groups[len(texts) :]
    # An answer of nothing but "the" says nothing.
    assert all(
        (group is None) == (set(text.split()) <= {"the"}) for text, group in zip(texts + texts, groups, strict=True)
    )


def test_pairs_link_every_member_to_the_first_of_its_group() -> None:
    assert near_identical_pairs([SAME[0], "other things", *SAME[1:]]) == [
        AlikePair(0, 2),
        AlikePair(0, 3),
        AlikePair(0, 4),
    ]


def test_with_scores_only_pairs_that_disagree_are_left() -> None:
    assert near_identical_pairs(SAME, [1, 1, 1, 1]) == []
    assert near_identical_pairs(SAME, [1, 1, 0, 1]) == [AlikePair(0, 2), AlikePair(1, 2), AlikePair(2, 3)]


def test_a_large_group_gives_pairs_in_proportion_to_its_size() -> None:
    texts = [SAME[index % 4] for index in range(400)]
    assert len(near_identical_pairs(texts, [index % 3 for index in range(400)])) <= 400


def test_the_nearest_answer_is_the_one_with_the_same_words() -> None:
    texts = ["the sun heats the water", "cats like fish", "water is heated by the sun", ""]
    nearest = nearest_answers(texts, 0, count=2)
    assert nearest[0].index == 2
    assert 0 <= nearest[1].similarity <= nearest[0].similarity <= 1
    assert nearest_answers(texts, 3) == []
