import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score, f1_score

from scoring import agreement, weighted
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
def test_macro_f1_equals_sklearn(pairs):
    human, machine = zip(*pairs, strict=True)
    assert agreement.macro_f1(human, machine) == pytest.approx(f1_score(human, machine, average="macro"))


@given(pairs_of_levels)
def test_pearson_equals_scipy_where_it_is_defined(pairs):
    human, machine = (np.array(side) for side in zip(*pairs, strict=True))
    machine = machine * 0.7 + 0.1
    found = agreement.pearson_correlation(human, machine)
    if len(set(human)) > 1 and len(set(machine)) > 1:
        assert found == pytest.approx(stats.pearsonr(human, machine).statistic, abs=1e-9)
    else:
        assert math.isnan(found)


@given(pairs_of_levels, st.integers(-3, 3))
def test_smd_moves_with_the_machine_in_standard_deviations_of_people(pairs, shift):
    human, machine = (np.array(side) for side in zip(*pairs, strict=True))
    here = agreement.standardized_mean_difference(human, machine)
    if len(set(human)) == 1:
        assert math.isnan(here)
    else:
        there = agreement.standardized_mean_difference(human, machine + shift)
        assert there - here == pytest.approx(shift / human.std(ddof=1), abs=1e-9)


# The values that RSMTool 12.0 gives for these ratings.
FIRST = [2, 3, 0, 3, 1, 2, 2, 1, 3, 0, 1, 1]
SECOND = [2, 3, np.nan, 2, 0, np.nan, 1, 2, 2, np.nan, 2, 0]
MACHINE = [1.43, 3.0, 0.12, 1.96, 0.95, 1.3, 1.62, 0.71, 2.57, 0.33, 0.96, 0.65]


def test_prmse_smd_and_group_difference_equal_rsmtool():
    assert agreement.true_score_reduction(FIRST, SECOND, MACHINE) == pytest.approx(1.0341274855785545)
    assert agreement.standardized_mean_difference(FIRST, MACHINE) == pytest.approx(-0.261468146048136)
    member = [True] * 5 + [False] * 7
    found = agreement.difference_of_standardized_means(FIRST, MACHINE, member)
    assert found == pytest.approx(0.019770486304018463)


def test_prmse_of_responses_that_were_all_rated_twice_is_the_simple_formula():
    generator = np.random.default_rng(1)
    true = generator.normal(1.5, 1, 400)
    first, second = (np.clip(np.round(true + generator.normal(0, 0.4, 400)), 0, 3) for _ in range(2))
    machine = true + generator.normal(0, 0.5, 400)
    error = np.mean((first - second) ** 2) / 2
    rated = (first + second) / 2
    mse = np.mean((rated - machine) ** 2) - error / 2
    variance = rated.var(ddof=1) - error / 2
    found = agreement.true_score_reduction(first, second, machine)
    assert found == pytest.approx(1 - mse / variance, abs=1e-12)


def test_prmse_of_two_people_who_agree_is_the_share_of_variance_explained():
    levels, machine = [0, 1, 2, 3], [0.5, 1.0, 2.0, 2.5]
    explained = 1 - np.mean((np.array(levels) - machine) ** 2) / np.var(levels, ddof=1)
    assert agreement.true_score_reduction(levels, levels, machine) == pytest.approx(explained)


def test_prmse_is_undefined_without_second_ratings_and_where_ratings_are_noise():
    assert math.isnan(agreement.true_score_reduction([0, 1, 2], [np.nan] * 3, [0, 1, 2]))
    assert math.isnan(agreement.true_score_reduction([0, 2, 0, 2], [2, 0, 2, 0], [0.0, 1.0, 2.0, 1.0]))


def test_group_differences_of_two_halves_cancel_and_a_shift_for_all_is_none():
    generator = np.random.default_rng(2)
    human = generator.integers(0, 4, 60)
    machine = human + generator.normal(0, 0.6, 60)
    member = generator.random(60) < 0.5
    one = agreement.difference_of_standardized_means(human, machine, member)
    other = agreement.difference_of_standardized_means(human, machine, ~member)
    assert one * member.sum() == pytest.approx(-other * (~member).sum())
    assert agreement.difference_of_standardized_means(human, machine * 2 + 5, member) == pytest.approx(one)
    favoured = agreement.difference_of_standardized_means(human, machine + member, member)
    assert favoured > one + 0.2


@given(pairs_of_levels, st.integers(0, 2**32 - 1))
def test_weights_stand_for_responses_drawn_several_times(pairs, seed):
    human, machine = (np.array(side) for side in zip(*pairs, strict=True))
    second = np.where(np.arange(len(human)) % 3, np.roll(human, 1), np.nan)
    drawn = np.random.default_rng(seed).integers(0, 3, len(human))
    weights = np.stack([np.ones(len(human)), drawn])
    tables = weighted.tables(human, machine, 5, weights)
    moments = weighted.moments(human, machine, weights)
    prmse = weighted.prmse(human, second, machine, weights)
    for row, place in enumerate((np.arange(len(human)), np.repeat(np.arange(len(human)), drawn))):
        h, m, two = human[place], machine[place], second[place]
        assert np.array_equal(tables[row], agreement.confusion(h, m, range(5)))
        for found, expected in (
            (weighted.kappas(tables)[row], agreement.quadratic_weighted_kappa(h, m)),
            (weighted.shares_within(tables, 0)[row], agreement.exact_agreement(h, m)),
            (weighted.shares_within(tables, 1)[row], agreement.adjacent_agreement(h, m)),
            (weighted.macro_f1(tables)[row], agreement.macro_f1(h, m)),
            (weighted.correlations(moments)[row], agreement.pearson_correlation(h, m)),
            (weighted.standardized_mean_differences(moments)[row], agreement.standardized_mean_difference(h, m)),
            (prmse[row], agreement.true_score_reduction(h, two, m)),
        ):
            assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_empty_input_is_undefined_everywhere():
    for statistic in (
        agreement.quadratic_weighted_kappa,
        agreement.exact_agreement,
        agreement.adjacent_agreement,
        agreement.standardized_mean_difference,
        agreement.pearson_correlation,
        agreement.macro_f1,
    ):
        assert math.isnan(statistic([], []))
    assert math.isnan(agreement.true_score_reduction([], [], []))
    assert math.isnan(agreement.difference_of_standardized_means([], [], []))
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
