import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss

from scoring import confidence
from scoring.errors import InvalidInput

judgements = st.lists(st.tuples(st.floats(0.2, 1.0), st.booleans()), min_size=1, max_size=120)


def test_brier_score_equals_sklearn():
    generator = np.random.default_rng(0)
    table = generator.dirichlet(np.ones(4), 50)
    place = generator.integers(0, 4, 50)
    expected = brier_score_loss(place, table, labels=range(4), scale_by_half=False)
    assert confidence.brier_scores(table, place).mean() == pytest.approx(expected)


def test_calibration_error_of_a_hand_worked_case():
    sure = [0.55, 0.65, 0.75, 0.85, 0.95, 0.95]
    right = [True, False, True, True, True, False]
    bins = confidence.reliability_bins(sure, right, bins=3)
    assert [(part.n, round(part.confidence, 2), part.right) for part in bins] == [
        (2, 0.6, 0.5),
        (2, 0.8, 1.0),
        (2, 0.95, 0.5),
    ]
    assert confidence.expected_calibration_error(bins) == pytest.approx((0.1 + 0.2 + 0.45) / 3)


@given(judgements)
def test_bins_hold_every_judgement_once_in_order_and_in_equal_parts(pairs):
    sure, right = zip(*pairs, strict=True)
    bins = confidence.reliability_bins(sure, right)
    assert sum(part.n for part in bins) == len(pairs)
    assert max(part.n for part in bins) - min(part.n for part in bins) <= 1
    assert sum(part.n * part.right for part in bins) == pytest.approx(sum(right))
    assert [part.confidence for part in bins] == sorted(part.confidence for part in bins)
    assert 0 <= confidence.expected_calibration_error(bins) <= 1


def test_few_judgements_make_few_bins():
    assert len(confidence.reliability_bins(np.full(39, 0.8), np.ones(39, dtype=bool))) == 1
    assert len(confidence.reliability_bins(np.full(60, 0.8), np.ones(60, dtype=bool))) == 3
    assert len(confidence.reliability_bins(np.full(5000, 0.8), np.ones(5000, dtype=bool))) == 10


def test_chance_alone_explains_the_error_of_a_calibrated_machine_and_not_of_an_overconfident_one():
    generator = np.random.default_rng(4)
    sure = generator.uniform(0.4, 1.0, 400)
    by_chance = confidence.calibration_error_by_chance(sure)
    assert 0.01 < by_chance < 0.06
    calibrated = confidence.reliability_bins(sure, generator.random(400) < sure)
    boasting = confidence.reliability_bins(sure, generator.random(400) < sure - 0.2)
    assert confidence.expected_calibration_error(calibrated) < 2 * by_chance
    assert confidence.expected_calibration_error(boasting) > 3 * by_chance


def test_no_judgements_are_undefined_and_unpairable_ones_refused():
    assert confidence.reliability_bins([], []) == []
    assert math.isnan(confidence.expected_calibration_error([]))
    assert math.isnan(confidence.calibration_error_by_chance([]))
    with pytest.raises(InvalidInput):
        confidence.reliability_bins([0.5], [True, False])
    with pytest.raises(InvalidInput):
        confidence.brier_scores([[0.5, 0.5]], [0, 1])
