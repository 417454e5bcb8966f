import numpy as np
import pytest

from scoring.errors import InvalidInput
from scoring.student.calibration import Calibration, calibrated_softmax, level_set, mass_before
from scoring.training.calibrating import SMALLEST, calibrate, conformal_threshold, fit_temperature


def responses(n, levels, temperature, seed):
    """Logits that are overconfident by a known factor, and labels drawn from the true distribution."""
    random = np.random.default_rng(seed)
    honest = random.normal(size=(n, levels)) * 1.5
    labels = [random.choice(levels, p=row) for row in calibrated_softmax(honest, 1.0)]
    return honest * temperature, np.asarray(labels)


@pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
def test_the_temperature_undoes_a_known_overconfidence(true):
    logits, labels = responses(4000, 4, true, seed=1)
    assert fit_temperature(logits, labels) == pytest.approx(true, rel=0.08)


def test_without_responses_the_temperature_is_one_and_every_level_is_in_the_set():
    assert fit_temperature(np.empty((0, 3)), np.empty(0, dtype=int)) == 1.0
    assert conformal_threshold(np.empty(0), 0.9) == 1.0
    assert level_set(np.array([0.98, 0.01, 0.01]), 0, 1.0) == [0, 1, 2]


def test_sets_on_new_responses_hold_the_human_level_as_often_as_stated():
    key = ("t", "c")
    covered, sizes = [], []
    for seed in range(20):
        logits, labels = responses(600, 4, 2.0, seed)
        entry = calibrate({key: logits[:300]}, {key: labels[:300]}).criteria[key]
        for row, label in zip(calibrated_softmax(logits[300:], entry.temperature), labels[300:], strict=True):
            shown = entry.level(row @ np.arange(4), 4)
            found = level_set(row, shown, entry.threshold)
            assert shown in found
            covered.append(label in found)
            sizes.append(len(found))
    # 6,000 responses over 20 calibrations: the standard error is below one point.
    assert 0.88 < np.mean(covered) < 0.94
    assert np.mean(sizes) < 3.9


def test_a_criterion_with_few_responses_shares_the_threshold_of_all():
    many, few = responses(500, 3, 1.0, 3), responses(SMALLEST - 1, 3, 1.0, 4)
    found = calibrate({("t", "a"): many[0], ("t", "b"): few[0]}, {("t", "a"): many[1], ("t", "b"): few[1]}).criteria
    assert found["t", "b"].threshold != found["t", "a"].threshold
    assert found["t", "b"].n == SMALLEST - 1
    assert found["t", "b"].threshold < 1


def test_a_set_grows_to_the_likelier_neighbour():
    assert mass_before(np.array([0.05, 0.15, 0.5, 0.3]), 2).tolist() == pytest.approx([0.95, 0.8, 0.0, 0.5])
    assert level_set(np.array([0.05, 0.15, 0.5, 0.3]), 2, 0.5) == [2, 3]
    assert level_set(np.array([0.2, 0.8]), 1, 0.0) == [1]


@pytest.mark.parametrize(
    "values",
    [
        {}, {"coverage": "most", "tasks": {}}, {"coverage": 0.9, "tasks": {"t": {"c": {"temperature": 1}}}},
        {"coverage": 0.9, "tasks": {"t": {"c": {"temperature": 0, "threshold": 1, "n": 3}}}},
    ],
)  # fmt: skip
def test_a_malformed_calibration_is_refused(values):
    with pytest.raises(InvalidInput, match="calibration"):
        Calibration.from_json(values)


def test_levels_are_spread_as_peoples_are_and_stay_in_range():
    key = ("t", "c")
    random = np.random.default_rng(5)
    labels = random.choice(4, size=4000, p=[0.3, 0.2, 0.2, 0.3])
    # A model that knows little: its expected levels huddle around the middle.
    logits = np.stack([-((np.arange(4) - (1.5 + 0.3 * (label - 1.5))) ** 2) / 2 for label in labels])
    logits += random.normal(size=logits.shape) * 0.2
    entry = calibrate({key: logits}, {key: labels}).criteria[key]
    expected = calibrated_softmax(logits, entry.temperature) @ np.arange(4)
    before = np.floor(expected + 0.5)
    after = np.array([entry.level(value, 4) for value in expected])
    assert entry.spread > 1
    assert abs(after.std() - labels.std()) < abs(before.std() - labels.std())
    assert set(after.tolist()) <= {0, 1, 2, 3}
    # Order is kept: a better expected level never gets a lower level.
    assert (np.diff(after[np.argsort(expected)]) >= 0).all()


def test_few_responses_hardly_change_the_scale():
    logits, labels = responses(8, 3, 1.0, 6)
    entry = calibrate({("t", "c"): logits}, {("t", "c"): labels}).criteria["t", "c"]
    most = 2 ** (8 / 58 + 8 / 208)  # as all criteria together, which is this one, and as itself
    assert 1 / most <= entry.spread <= most
    assert Calibration().criteria.get(("t", "c")) is None
    same = calibrate({("t", "c"): logits}, {("t", "c"): np.zeros(8, dtype=int)}).criteria["t", "c"]
    assert same.spread == 1.0  # no spread to learn from


def test_a_criterion_with_few_responses_is_spread_as_the_others_are():
    def shrunk(n, seed):
        random = np.random.default_rng(seed)
        labels = random.choice(4, size=n, p=[0.3, 0.2, 0.2, 0.3])
        logits = np.stack([-((np.arange(4) - (1.5 + 0.3 * (label - 1.5))) ** 2) / 2 for label in labels])
        return logits + random.normal(size=logits.shape) * 0.2, labels

    many, few = shrunk(4000, 5), shrunk(6, 6)
    alone = calibrate({("t", "b"): few[0]}, {("t", "b"): few[1]}).criteria["t", "b"].spread
    found = calibrate({("t", "a"): many[0], ("t", "b"): few[0]}, {("t", "a"): many[1], ("t", "b"): few[1]}).criteria
    of_many, of_few = found["t", "a"].spread, found["t", "b"].spread
    assert of_many > 1.3
    assert abs(np.log(of_few / of_many)) < abs(np.log(alone / of_many)) / 3
