import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from scoring import agreement
from scoring.errors import InvalidInput

pairs_of_levels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


@given(pairs_of_levels)
def test_qwk_equals_sklearn(pairs):
    human, machine = zip(*pairs, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = cohen_kappa_score(human, machine, weights="quadratic", labels=range(5))
    found = agreement.quadratic_weighted_kappa(human, machine)
    if math.isnan(found):
        assert len({*human, *machine}) == 1
    else:
        assert found == pytest.approx(expected, abs=1e-12)


@given(pairs_of_levels)
def test_qwk_is_symmetric_and_between_minus_one_and_one(pairs):
    human, machine = zip(*pairs, strict=True)
    there = agreement.quadratic_weighted_kappa(human, machine)
    back = agreement.quadratic_weighted_kappa(machine, human)
    assert math.isnan(there) == math.isnan(back)
    if not math.isnan(there):
        assert there == pytest.approx(back, abs=1e-12)
        assert -1 - 1e-12 <= there <= 1 + 1e-12


@given(pairs_of_levels, st.integers(-3, 3))
def test_qwk_does_not_depend_on_where_the_levels_start(pairs, shift):
    human, machine = (np.array(side) for side in zip(*pairs, strict=True))
    here = agreement.quadratic_weighted_kappa(human, machine)
    there = agreement.quadratic_weighted_kappa(human + shift, machine + shift)
    assert here == pytest.approx(there, nan_ok=True)


@given(pairs_of_levels)
def test_perfect_agreement_is_one_or_undefined(pairs):
    human = [first for first, _ in pairs]
    kappa = agreement.quadratic_weighted_kappa(human, human)
    assert math.isnan(kappa) if len(set(human)) == 1 else kappa == 1.0


@given(pairs_of_levels)
def test_exact_is_never_above_adjacent(pairs):
    human, machine = zip(*pairs, strict=True)
    exact = agreement.exact_agreement(human, machine)
    assert 0 <= exact <= agreement.adjacent_agreement(human, machine) <= 1


@given(pairs_of_levels)
def test_smd_changes_sign_when_the_sides_are_exchanged(pairs):
    human, machine = zip(*pairs, strict=True)
    there = agreement.standardized_mean_difference(human, machine)
    assert there == pytest.approx(-agreement.standardized_mean_difference(machine, human), nan_ok=True)


def test_empty_input_is_undefined_everywhere():
    for statistic in (
        agreement.quadratic_weighted_kappa,
        agreement.exact_agreement,
        agreement.adjacent_agreement,
        agreement.standardized_mean_difference,
    ):
        assert math.isnan(statistic([], []))
    assert math.isnan(agreement.fisher_mean([float("nan")]))
    assert np.isnan(agreement.bootstrap_kappas([], [], agreement.draw_resamples(0, replicates=3))).all()


@pytest.mark.parametrize("bad", [([0, 1], [0]), ([0, 1], [0.5, 1]), ([[0]], [[0]])])
def test_unpairable_scores_are_refused(bad):
    with pytest.raises(InvalidInput):
        agreement.quadratic_weighted_kappa(*bad)


def test_a_level_outside_the_rubric_is_refused():
    with pytest.raises(InvalidInput, match=r"\[0, 1\]"):
        agreement.confusion([0, 2], [0, 1], levels=[0, 1])


def test_fisher_mean_stands_a_perfect_kappa():
    assert 0.9 < agreement.fisher_mean([1.0, 0.5]) < 1


def test_bootstrap_interval_holds_the_kappa_and_matches_resampling_responses():
    generator = np.random.default_rng(0)
    human = generator.integers(0, 4, 200)
    machine = np.clip(human + generator.integers(-1, 2, 200), 0, 3)
    interval = agreement.percentile_interval(
        agreement.bootstrap_kappas(human, machine, agreement.draw_resamples(200, replicates=4000))
    )
    drawn = generator.integers(0, 200, (1000, 200))
    by_hand = [agreement.quadratic_weighted_kappa(human[rows], machine[rows]) for rows in drawn]
    low, high = np.percentile(by_hand, [2.5, 97.5])
    assert interval.low < agreement.quadratic_weighted_kappa(human, machine) < interval.high
    assert interval.low == pytest.approx(low, abs=0.015)
    assert interval.high == pytest.approx(high, abs=0.015)


def test_resamples_repeat_with_their_seed():
    first = agreement.draw_resamples(9, replicates=5, seed=4)
    assert np.array_equal(first, agreement.draw_resamples(9, replicates=5, seed=4))
    assert not np.array_equal(first, agreement.draw_resamples(9, replicates=5, seed=5))
