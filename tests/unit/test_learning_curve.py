"""Learning curves, suspected mislabels, and what to label next: pure parts of adding a task."""

import numpy as np
import pytest

from scoring.training.learning_curve import Point, forecast
from scoring.training.mislabels import picks, suspects


def points(ceiling, drop, *sizes, error=0.02):
    found = []
    for size in sizes:
        qwk = ceiling - drop * size**-0.5
        found.append(Point(size, qwk, qwk - 1.96 * error, qwk + 1.96 * error))
    return found


def test_a_curve_is_followed_to_the_goal():
    found = forecast(points(0.9, 2.0, 16, 32, 64, error=0.005))
    assert found.labels == pytest.approx(100, rel=0.25)
    assert found.low < found.labels
    assert found.high is None or found.labels < found.high
    assert f"{found.labels:,}" in found.sentence


def test_a_curve_that_levels_off_below_the_goal_has_none():
    found = forecast(points(0.55, 0.8, 16, 32, 64, 128, 256, error=0.005))
    assert found.labels is None
    assert "2,000" in found.sentence


def test_a_goal_that_is_reached_already_is_said_to_be():
    found = forecast(points(0.95, 1.0, 16, 32, 64, 128, error=0.005))
    assert found.labels < 32
    assert "has reached" in found.sentence


def test_noise_widens_the_forecast():
    narrow, wide = (forecast(points(0.9, 2.0, 16, 32, 64, error=error)) for error in (0.003, 0.08))
    assert wide.low <= narrow.low
    assert wide.high is None or wide.high >= narrow.high


def test_two_points_forecast_nothing():
    found = forecast(points(0.9, 2.0, 16, 32))
    assert (found.labels, found.low, found.high) == (None, None, None)
    assert "Too few" in found.sentence


def test_a_label_that_everything_speaks_against_comes_first():
    probabilities = np.array([[0.98, 0.02], [0.9, 0.1], [0.03, 0.97], [0.55, 0.45]])
    likeness = np.full((4, 4), 0.5)
    found = suspects(probabilities, [1, 1, 1, 1], likeness, (0, 1))
    assert [suspect.row for suspect in found] == [0, 1]
    assert found[0].given == 1
    assert found[0].predicted == 0
    assert "98%" in found[0].reason


def test_likely_labels_are_no_suspects():
    assert suspects(np.array([[0.9, 0.1], [0.2, 0.8]]), [0, 1], np.eye(2), (0, 1)) == []


def test_neighbours_are_named_where_they_agree_with_the_model():
    probabilities = np.array([[0.98, 0.02]] + [[0.9, 0.1]] * 5)
    found = suspects(probabilities, [1, 0, 0, 0, 0, 0], np.ones((6, 6)), (0, 1))
    assert "5 of the 5" in found[0].reason


def test_the_next_answers_to_label_are_unsure_and_unlike_each_other():
    table = np.array([[0.5, 0.5], [0.5, 0.5], [0.99, 0.01], [0.6, 0.4]])
    likeness = np.eye(4)
    likeness[0, 1] = likeness[1, 0] = 1.0
    found = picks([table], likeness, np.zeros(4), [(0, 1)], most=3)
    assert [pick.row for pick in found] == [0, 3, 1] or [pick.row for pick in found] == [0, 3, 2]
    assert "torn between level 0 and level 1" in found[0].reason


def test_no_more_answers_are_picked_than_there_are():
    assert len(picks([np.full((3, 2), 0.5)], np.eye(3), np.zeros(3), [(0, 1)])) == 3
