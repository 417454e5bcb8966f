"""What adding a task is made of: checked examples, a teacher, heads that start from related tasks, calibration."""

import random

import numpy as np
import pytest
import torch

from scoring.domain import task_from_json
from scoring.errors import InvalidInput
from scoring.itembank import LabelledResponse
from scoring.student.config import StudentConfig
from scoring.training.adaptation_calibration import HeldOut, scaled
from scoring.training.adaptation_config import AdaptConfig
from scoring.training.adaptation_examples import deal, draw, read_examples
from scoring.training.adaptation_heads import fit_heads, head_logits
from scoring.training.adaptation_teacher import MIXTURES, teach

TASK = task_from_json(
    {
        "id": "t", "title": "T", "prompt": "Why?",
        "criteria": [{"id": "c", "levels": [{"value": v} for v in range(1, 4)]}],
    }
)  # fmt: skip
CONFIG = StudentConfig(encoder="e", encoder_sha256="0", width=4, tasks={"t": {"c": (1, 2, 3)}}, pooling_heads=1)


def rows(count):
    return [LabelledResponse("t", f"r{at}", f"answer number {at}", {"c": 1 + at % 3}) for at in range(count)]


def line_of_answers(count=60, noise=0.5):
    """Answers along a line, and kernels that see where they stand."""
    generator = np.random.default_rng(2)
    place = generator.normal(size=count)
    labels = np.clip(np.round(place + 1 + noise * generator.normal(size=count)), 0, 2).astype(int)
    kernel = np.exp(-((place[:, None] - place[None]) ** 2))
    return place, labels, {name: kernel for mixture in MIXTURES for name in mixture}


def test_equal_texts_count_once_and_blank_ones_not_at_all():
    known = read_examples(TASK, [*rows(9), LabelledResponse("t", "b", " \n", {"c": 1}), rows(9)[0]])
    assert len(known.rows) == 9
    assert known.labels(TASK, "c")[:3] == [0, 1, 2]


def test_unlabelled_answers_that_are_labelled_elsewhere_are_left_out():
    pool = [LabelledResponse("t", "p", "Answer  NUMBER 1", {}), LabelledResponse("t", "q", "something new", {})]
    assert [row.response_id for row in read_examples(TASK, rows(9), pool).pool] == ["q"]


def test_a_pool_of_another_task_is_refused():
    with pytest.raises(InvalidInput, match="'u'"):
        read_examples(TASK, rows(9), [LabelledResponse("u", "p", "text", {})])


def test_every_part_gets_its_share_of_every_level():
    parts = deal(rows(30), 5, seed=1)
    for part in range(5):
        levels = [row.levels["c"] for row, at in zip(rows(30), parts, strict=True) if at == part]
        assert sorted(levels) == [1, 1, 2, 2, 3, 3]


def test_a_draw_holds_every_level():
    chosen = draw(rows(30), 9, seed=4)
    assert len(set(chosen)) == 9
    assert sorted(rows(30)[at].levels["c"] for at in chosen) == [1, 1, 1, 2, 2, 2, 3, 3, 3]


def test_the_teacher_speaks_of_a_labelled_answer_as_if_it_had_not_seen_it():
    _, labels, kernels = line_of_answers()
    whole = teach(kernels, range(60), labels.tolist(), 3)
    changed = labels.copy()
    changed[7] = 2 - labels[7] if labels[7] != 1 else 2
    without = teach(kernels, range(60), changed.tolist(), 3)
    assert whole.probabilities[7] == pytest.approx(without.probabilities[7], abs=1e-6)
    assert whole.probabilities.sum(1) == pytest.approx(np.ones(60))
    assert 0.3 < whole.explained < 1


def test_a_teacher_that_learnt_nothing_does_not_turn_the_scale_around():
    generator = random.Random(0)
    _, _, kernels = line_of_answers()
    nothing = {name: np.eye(60) for name in kernels}
    labels = [generator.randrange(3) for _ in range(16)]
    found = teach(nothing, range(16), labels, 3)
    assert found.explained == 0
    expected = found.probabilities[16:] @ np.arange(3)
    assert expected == pytest.approx(np.full(44, expected[0]))


def test_heads_start_from_what_related_tasks_reward():
    hidden = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    related = np.array([[1.0, 0.0, 0.0, 0.0]], dtype=np.float32)
    targets = {"c": np.full((50, 3), np.nan)}
    targets["c"][:2] = np.eye(3)[[0, 2]]
    weights = dict.fromkeys(range(2), 0.001)
    heads = fit_heads(CONFIG, "t", hidden, targets, weights, related, expected_weight=1.0)
    said = head_logits(CONFIG, "t", heads, hidden, range(50))["c"]
    expected = torch.tensor(said).softmax(-1).numpy() @ np.arange(3)
    assert np.corrcoef(expected, hidden[:, 0])[0, 1] > 0.95


def test_labels_overrule_related_tasks():
    hidden = np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32)
    labels = np.digitize(hidden[:, 1], [-0.5, 0.5])
    targets = {"c": np.eye(3)[labels]}
    related = np.array([[1.0, 0.0, 0.0, 0.0]], dtype=np.float32)
    heads = fit_heads(CONFIG, "t", hidden, targets, dict.fromkeys(range(400), 1.0), related, expected_weight=1.0)
    said = head_logits(CONFIG, "t", heads, hidden, range(400))["c"]
    assert (said.argmax(1) == labels).mean() > 0.9


def test_expected_levels_get_peoples_mean_and_spread():
    logits = np.log(np.random.default_rng(1).dirichlet([1, 1, 1], size=500))
    labels = np.array([0, 2] * 200)
    entry = scaled(1.0, labels, logits)
    expected = np.exp(logits) @ np.arange(3)
    read = entry.human_mean + entry.spread * (expected - entry.machine_mean)
    assert read.mean() == pytest.approx(labels.mean(), abs=0.02)
    assert read.std() == pytest.approx(labels.std(), rel=0.05)


def test_held_out_answers_are_read_by_the_labels_of_other_parts():
    generator = np.random.default_rng(3)
    logits = {"c": generator.normal(size=(60, 3))}
    labels = {"c": generator.integers(0, 3, 60).tolist()}
    parts = [at % 3 for at in range(60)]
    said = HeldOut(TASK, logits, labels, parts, {}).predictions()
    changed = {"c": [2 if part == 0 else label for label, part in zip(labels["c"], parts, strict=True)]}
    again = HeldOut(TASK, logits, changed, parts, {}).predictions()
    own = [at for at, part in enumerate(parts) if part == 0]
    assert [(said[at]["c"].level, said[at]["c"].expected) for at in own] == [
        (again[at]["c"].level, again[at]["c"].expected) for at in own
    ]
    assert all(prediction["c"].level in prediction["c"].level_set for prediction in said)


@pytest.mark.parametrize(("name", "value"), [("folds", 1), ("lr_delta", 0.0), ("taught", 1.5), ("precision", "fp8")])
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(InvalidInput, match=name):
        AdaptConfig(**{name: value})
