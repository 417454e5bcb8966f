import json
import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, cohen_kappa_score

from scoring import agreement
from scoring.errors import InvalidInput
from scoring.itembank import LabelledResponse, read_item_bank
from scoring.settings import ROOT
from scoring.training.evaluation import interval_of_difference, measure
from scoring.training.figures import FIGURES
from scoring.training.predictions import Prediction, predictions_from

DATA = ROOT.parent / "shared" / "data"
POINTS = {"ice": {"score": (0, 1, 2, 3)}, "cart": {"claim": (0, 1), "evidence": (1, 2, 3)}}


def row(number, levels, *, task="ice", second=None, **groups):
    return LabelledResponse(task, str(number), "text", levels, second or {}, "val", groups)


def holistic(human, second=()):
    seconds = list(second) + [None] * (len(human) - len(second))
    return [
        row(number, {"score": level}, second={} if other is None else {"score": other})
        for number, (level, other) in enumerate(zip(human, seconds, strict=True))
    ]


def levels(machine):
    return [{"score": level} for level in machine]


def random_system(rows, seed, spread=0.7):
    """Distributions around the human level, some of them wrong."""
    generator = np.random.default_rng(seed)

    def opinion(of, criterion_id):
        values = np.array(POINTS[of.task_id][criterion_id])
        powers = np.exp(-((values - of.levels.get(criterion_id, 1) - generator.normal(0, spread)) ** 2) * 2)
        return powers / powers.sum()

    return predictions_from(rows, POINTS, opinion)


def two_tasks(count=80, seed=0):
    generator = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        level = int(generator.integers(0, 4))
        other = int(np.clip(level + generator.integers(-1, 2), 0, 3))
        group = {"section": "AB"[number % 2], "learner": f"L{number}", "late": "yes" if number < 4 else "no"}
        rows.append(row(number, {"score": level}, second={"score": other} if number % 2 else None, **group))
        claim, evidence = int(generator.integers(0, 2)), int(generator.integers(1, 4))
        labels = {"claim": claim} if number % 5 == 0 else {"claim": claim, "evidence": evidence}
        rows.append(row(number, labels, task="cart", **group))
    return rows


def test_figures_of_a_criterion_are_those_of_scikit_learn_and_of_the_plain_functions():
    rows = two_tasks()
    predicted = random_system(rows, 1)
    task = measure(rows, predicted, replicates=50).tasks[0]
    of_task = [(r, p["score"]) for r, p in zip(rows, predicted, strict=True) if r.task_id == "ice"]
    human = [r.levels["score"] for r, _ in of_task]
    level = [p.level for _, p in of_task]
    expected = [p.expected for _, p in of_task]
    second = [r.second.get("score", np.nan) for r, _ in of_task]
    twice = [(r.levels["score"], r.second["score"], p.level) for r, p in of_task if r.second]
    assert task.qwk == pytest.approx(cohen_kappa_score(human, level, weights="quadratic"))
    assert task.exact == pytest.approx(np.mean(np.array(human) == level))
    assert task.pearson == pytest.approx(np.corrcoef(human, expected)[0, 1])
    assert task.smd == pytest.approx(agreement.standardized_mean_difference(human, level))
    assert task.prmse == pytest.approx(agreement.true_score_reduction(human, second, expected))
    assert task.prmse != pytest.approx(agreement.true_score_reduction(human, second, level), abs=1e-3)
    first, other, machine = zip(*twice, strict=True)
    assert task.n_double == len(twice) == 40
    assert task.human_qwk == pytest.approx(cohen_kappa_score(first, other, weights="quadratic"))
    assert task.double_qwk == pytest.approx(cohen_kappa_score(first, machine, weights="quadratic"))
    assert task.degradation == pytest.approx(task.double_qwk - task.human_qwk)
    table = [p.probabilities for _, p in of_task]
    assert task.brier == pytest.approx(brier_score_loss(human, table, labels=range(4), scale_by_half=False))
    assert sum(map(sum, task.criteria[0].confusion)) == task.n == 80
    for name in ("pearson", "exact", "degradation", "prmse", "brier"):
        assert task.intervals[name].low <= getattr(task, name) <= task.intervals[name].high


def test_means_count_each_task_once_and_each_criterion_once_in_its_task():
    rows = two_tasks()
    found = measure(rows, random_system(rows, 1), replicates=50)
    cart = found.tasks[1]
    assert [c.n for c in cart.criteria] == [80, 64]
    assert cart.qwk == pytest.approx(np.mean([c.qwk for c in cart.criteria]))
    assert cart.smd == max((c.smd for c in cart.criteria), key=abs)
    assert found.mean_qwk == pytest.approx(np.mean([task.qwk for task in found.tasks]))
    assert found.fisher_qwk == pytest.approx(agreement.fisher_mean(task.qwk for task in found.tasks))
    assert found.means["exact"] == pytest.approx(np.mean([task.exact for task in found.tasks]))
    assert found.mean_qwk_low < found.mean_qwk < found.mean_qwk_high
    assert found.fisher_qwk_low < found.fisher_qwk < found.fisher_qwk_high


def test_all_criteria_right_counts_only_responses_rated_on_all():
    rows = [
        row(1, {"claim": 1, "evidence": 2}, task="cart"),
        row(2, {"claim": 0, "evidence": 3}, task="cart"),
        row(3, {"claim": 0}, task="cart"),
        row(4, {"claim": 1, "evidence": 1}, task="cart"),
    ]
    said = [
        {"claim": 1, "evidence": 2},
        {"claim": 0, "evidence": 2},
        {"claim": 0, "evidence": 1},
        {"claim": 0, "evidence": 1},
    ]
    assert measure(rows, said, replicates=5).tasks[0].exact_match == pytest.approx(1 / 3)


def test_agreement_by_level_is_of_the_people_s_level_and_signed():
    found = measure(holistic([0, 0, 1, 1, 2, 2]), levels([0, 1, 1, 1, 0, 1]), replicates=5)
    (shape,) = found.by_level
    assert [(level.level, level.n, level.exact, level.mean_error) for level in shape.levels] == [
        (0, 2, 0.5, 0.5), (1, 2, 1.0, 0.0), (2, 2, 0.0, -1.5),
    ]  # fmt: skip
    assert found.tasks[0].criteria[0].confusion == ((1, 1, 0), (0, 2, 0), (1, 1, 0))


def test_coverage_and_size_of_level_sets():
    human, sets = [0, 1, 2, 3], [(0,), (0, 1), (3,), (1, 2, 3)]
    said = [{"score": Prediction(held[0], float(held[0]), (0, 1, 2, 3), (0.25,) * 4, held)} for held in sets]
    found = measure(holistic(human), said, replicates=20)
    assert found.means["coverage"] == 0.75
    assert found.means["set_size"] == pytest.approx(7 / 4)
    assert [level.coverage for level in found.by_level[0].levels] == [1, 1, 0, 1]
    assert found.tasks[0].criteria[0].undefined.keys() == {"human_qwk", "double_qwk", "degradation", "prmse"}


@pytest.mark.parametrize(
    ("rows", "said", "missing"),
    [
        ([1, 1, 1], [1, 1, 1], {"qwk": "one and the same level", "pearson": "the same level", "smd": "the same level"}),
        ([0, 1, 2], [1, 1, 1], {"pearson": "one score"}),
        ([2], [2], {"qwk": "fewer than two", "pearson": "fewer than two", "smd": "fewer than two"}),
    ],
)
def test_an_undefined_figure_is_null_with_its_reason(rows, said, missing):
    report = measure(holistic(rows), levels(said), replicates=30).to_json()
    (criterion,) = report["tasks"][0]["criteria"]
    for name, words in missing.items():
        assert criterion[name] is None
        assert words in criterion["undefined"][name]
    always = {"human_qwk", "double_qwk", "degradation", "prmse", "ece", "brier", "coverage", "set_size"}
    assert criterion["undefined"].keys() == missing.keys() | always
    assert "two people" in criterion["undefined"]["prmse"]
    assert all(criterion[name] is None for name in criterion["undefined"])
    assert criterion["exact"] is not None
    json.dumps(report, allow_nan=False)


def test_second_ratings_that_say_nothing_are_undefined_with_a_reason():
    found = measure(holistic([1, 1, 0, 2], second=[1, 1]), levels([1, 1, 0, 1]), replicates=10)
    (criterion,) = found.tasks[0].criteria
    assert math.isnan(criterion.human_qwk)
    assert "one level alone" in criterion.undefined["human_qwk"]
    noise = measure(holistic([0, 2, 0, 2], second=[2, 0, 2, 0]), levels([0, 1, 0, 2]), replicates=10)
    assert "no more than their error" in noise.tasks[0].criteria[0].undefined["prmse"]


def test_nothing_to_measure_is_a_report_without_tasks():
    report = measure([], []).to_json()
    assert report["n"] == 0
    assert report["tasks"] == []
    assert report["mean_qwk"] is None
    assert report["ece"] is None


def test_every_figure_of_a_task_has_a_mean_and_the_report_is_plain():
    rows = two_tasks()
    report = measure(rows, random_system(rows, 2), replicates=20).to_json()
    assert report["means"].keys() == (set(FIGURES) - {"qwk"}) | {"exact_match"}
    assert set(FIGURES) <= report["tasks"][0].keys()
    assert next(iter(report["tasks"][0])) == "task_id"
    json.dumps(report, allow_nan=False)


def test_groups_are_compared_within_criteria_and_identifiers_are_not_groups():
    rows = two_tasks()
    found = measure(rows, random_system(rows, 3), replicates=100)
    assert [(g.column, g.value, g.n) for g in found.groups] == [
        ("section", "A", 80), ("section", "B", 80), ("late", "no", 152),
    ]  # fmt: skip
    assert found.groups_left_out == {
        "learner": "80 different values, more than groups have", "late: yes": "fewer than 10 responses",
    }  # fmt: skip
    section = found.groups[:2]
    assert sum(g.dsm * g.n for g in section) == pytest.approx(0, abs=0.5)
    of_task = [(r, p) for r, p in zip(rows, random_system(rows, 3), strict=True) if r.task_id == "ice"]
    alone = agreement.difference_of_standardized_means(
        [r.levels["score"] for r, _ in of_task],
        [p["score"].expected for _, p in of_task],
        [r.groups["section"] == "A" for r, _ in of_task],
    )
    assert found.tasks[0].groups[0].dsm == pytest.approx(alone)


def test_a_favoured_group_is_found_beyond_chance():
    rows = two_tasks(200)
    predicted = [
        {c: replace(p, expected=p.expected + 0.6 * (r.groups["section"] == "A")) for c, p in said.items()}
        for r, said in zip(rows, random_system(rows, 3), strict=True)
    ]
    first, second, *_ = measure(rows, predicted, replicates=200).groups
    assert first.dsm_low > 0.1
    assert second.dsm_high < -0.1


def test_a_missing_prediction_and_a_foreign_level_are_refused():
    rows = holistic([0, 1, 3])
    with pytest.raises(InvalidInput, match="response '1' of task 'ice'"):
        measure(rows, [{"score": 0}, {}, {"score": 1}])
    narrow = [{"score": Prediction(0, 0.0, (0, 1))} for _ in rows]
    with pytest.raises(InvalidInput, match=r"level 3 is not one of the system's \[0, 1\]"):
        measure(rows, narrow)
    with pytest.raises(ValueError, match="zip"):
        measure(rows, levels([0, 1]))


def test_the_level_of_a_distribution_is_its_expected_score_rounded_half_up():
    (said,) = predictions_from(holistic([1]), POINTS, lambda *_: [0.5, 0.0, 0.0, 0.5])
    assert said["score"] == Prediction(2, 1.5, (0, 1, 2, 3), (0.5, 0.0, 0.0, 0.5))
    assert predictions_from(holistic([1]), POINTS, lambda *_: None) == [{}]


def test_the_difference_of_a_system_with_itself_is_none_and_of_a_better_one_beyond_chance():
    rows = two_tasks(200)
    good, bad = random_system(rows, 4, spread=0.3), random_system(rows, 5, spread=1.2)
    same = interval_of_difference(rows, good, good, replicates=100)
    assert (same.difference, same.low, same.high) == (0, 0, 0)
    found = interval_of_difference(rows, good, bad, replicates=200)
    back = interval_of_difference(rows, bad, good, replicates=200)
    one, other = (measure(rows, p, replicates=200) for p in (good, bad))
    assert found.difference == pytest.approx(one.mean_qwk - other.mean_qwk)
    assert 0 < found.low < found.difference < found.high
    assert (back.difference, back.low, back.high) == pytest.approx((-found.difference, -found.high, -found.low))


def test_pairing_narrows_the_interval_of_systems_that_err_together():
    rows = two_tasks(200)
    one = random_system(rows, 4)
    other = [{c: 1 if number % 25 == 0 else p.level for c, p in said.items()} for number, said in enumerate(one)]
    paired = interval_of_difference(rows, one, other, replicates=300)
    alone = measure(rows, one, replicates=300)
    assert paired.high - paired.low < 0.7 * (alone.mean_qwk_high - alone.mean_qwk_low)


def test_the_same_seed_gives_the_same_report():
    rows = two_tasks()
    first, again, other = (measure(rows, random_system(rows, 6), replicates=40, seed=s).to_json() for s in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.skipif(not DATA.exists(), reason="no real answers beside the project (shared/data)")
def test_the_second_human_as_a_system_agrees_as_two_people_do():
    rows = [r for r in read_item_bank(DATA / "asap-sas").responses if r.fold == "val" and r.second]
    found = measure(rows, [dict(r.second) for r in rows], replicates=50)
    assert len(found.tasks) == 10
    for task in found.tasks:
        assert task.qwk == task.human_qwk == task.double_qwk
        assert task.degradation == 0
        assert 0.7 < task.qwk < 1
    assert found.mean_qwk == pytest.approx(0.88, abs=0.02)
