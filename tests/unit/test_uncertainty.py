"""One number for the order of review: bounded, the same everywhere, and higher for every sign of doubt."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.domain import CriterionScore, round_half_up
from scoring.uncertainty import uncertainty


@st.composite
def scores(draw: st.DrawFn) -> CriterionScore:
    weights = draw(st.lists(st.floats(0, 1), min_size=2, max_size=6).filter(lambda w: sum(w) > 0.01))
    shares = tuple(float(w) for w in np.array(weights) / sum(weights))
    expected = sum(level * share for level, share in enumerate(shares))
    level = min(round_half_up(expected), len(shares) - 1)
    low, high = draw(st.integers(0, level)), draw(st.integers(level, len(shares) - 1))
    return CriterionScore("c", level, expected, shares, draw(st.sampled_from([(), tuple(range(low, high + 1))])))


gates = st.one_of(st.none(), st.just([[1.0]]), st.just([[0.5, 0.5], [1.0, 0.0]]), st.just([[0.2, 0.3, 0.5]]))


@given(st.lists(scores(), min_size=1, max_size=4), gates, st.data())
def test_it_lies_between_0_and_1_whatever_is_known(
    given_scores: list[CriterionScore], weights: list[list[float]] | None, data: st.DataObject
) -> None:
    neighbours = [data.draw(st.lists(st.integers(0, 5), max_size=5)) for _ in given_scores]
    value = uncertainty(given_scores, weights, neighbours)
    assert 0 <= value <= 1
    order = data.draw(st.permutations(range(len(given_scores))))
    again = uncertainty([given_scores[i] for i in order], weights, [neighbours[i] for i in order])
    assert again == pytest.approx(value, abs=1e-9), "criteria have no order"


def _score(*shares: float, held: tuple[int, ...] = ()) -> CriterionScore:
    return CriterionScore("c", 1, 1.0, shares, held)


def test_each_sign_of_doubt_raises_it() -> None:
    one, two, three = (_score(0.1, 0.8, 0.1, held=h) for h in ((1,), (1, 2), (0, 1, 2)))
    assert uncertainty([one]) < uncertainty([two]) < uncertainty([three])
    assert uncertainty([_score(0.1, 0.8, 0.1)]) < uncertainty([_score(0.3, 0.4, 0.3)])
    assert uncertainty([one], [[1.0, 0.0]]) < uncertainty([one], [[0.9, 0.1]]) < uncertainty([one], [[0.5, 0.5]])
    by_neighbours = [uncertainty([one], neighbours=[levels]) for levels in ([1, 1, 1], [1, 1, 2], [1, 2, 2], [0, 2, 2])]
    assert by_neighbours == sorted(set(by_neighbours))
    assert uncertainty([one], neighbours=[[2]]) < uncertainty([one], neighbours=[[2, 2, 2]]), "many weigh more than one"


def test_a_sign_that_is_not_known_counts_for_nothing() -> None:
    score = _score(0.1, 0.8, 0.1, held=(1, 2))
    assert uncertainty([score], neighbours=[[]]) == uncertainty([score], None) == uncertainty([score], [[1.0]])
    assert uncertainty([_score(0.0, 1.0, 0.0)]) == 0.0
    assert uncertainty([_score(1 / 3, 1 / 3, 1 / 3)]) == 1.0
