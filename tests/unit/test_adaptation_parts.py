"""What adding a task is made of: checked examples, comparing with them, heads to start from, calibration."""

import random

import numpy as np
import pytest
import torch

from scoring.domain import task_from_json
from scoring.errors import InvalidInput
from scoring.itembank import LabelledResponse
from scoring.student.config import StudentConfig
from scoring.student.example_heads import levels_of
from scoring.student.heads import TrainedHeads
from scoring.training.adaptation_calibration import HeldOut, scaled
from scoring.training.adaptation_config import AdaptConfig
from scoring.training.adaptation_examples import deal, draw, read_examples
from scoring.training.adaptation_heads import fit_heads
from scoring.training.kernel_ridge import teach

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
    """Answers along a line, and a kernel that sees where they stand."""
    generator = np.random.default_rng(2)
    place = generator.normal(size=count)
    labels = np.clip(np.round(place + 1 + noise * generator.normal(size=count)), 0, 2).astype(int)
    kernel = np.exp(-((place[:, None] - place[None]) ** 2))
    return place, labels, kernel + 1


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
    _, labels, kernel = line_of_answers()
    whole = teach(kernel, range(60), labels.tolist(), 3)
    changed = labels.copy()
    changed[7] = 2 - labels[7] if labels[7] != 1 else 2
    without = teach(kernel, range(60), changed.tolist(), 3)
    assert whole.probabilities[7] == pytest.approx(without.probabilities[7], abs=1e-6)
    assert whole.probabilities.sum(1) == pytest.approx(np.ones(60))
    assert 0.3 < whole.explained < 1


def test_a_teacher_that_learnt_nothing_does_not_turn_the_scale_around():
    generator = random.Random(0)
    nothing = np.eye(60) + 1
    labels = [generator.randrange(3) for _ in range(16)]
    found = teach(nothing, range(16), labels, 3)
    assert found.explained == 0
    expected = found.probabilities[16:] @ np.arange(3)
    assert expected == pytest.approx(np.full(44, expected[0]))


def test_what_is_said_of_others_follows_from_the_weights():
    _, labels, kernel = line_of_answers()
    found = teach(kernel, range(40), labels[:40].tolist(), 3)
    reached = torch.from_numpy(kernel[40:, :40] @ found.weights)
    assert found.probabilities[40:] == pytest.approx(levels_of(reached).numpy())


def test_the_first_heads_of_a_delta_learn_the_labels():
    hidden = np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32)
    labels = np.digitize(hidden[:, 1], [-0.5, 0.5])
    targets = {"c": np.eye(3)[labels]}
    state = fit_heads(CONFIG, "t", hidden, targets, dict.fromkeys(range(400), 1.0), expected_weight=1.0)
    heads = TrainedHeads("softmax", 4, [3], 0.0)
    heads.load_state_dict(state)
    (said,) = heads(torch.tensor(hidden))
    assert (said.argmax(1).numpy() == labels).mean() > 0.85


def test_expected_levels_get_peoples_mean_and_spread():
    logits = np.log(np.random.default_rng(1).dirichlet([1, 1, 1], size=500))
    labels = np.array([0, 2] * 2000)
    entry = scaled(1.0, labels, logits)
    expected = np.exp(logits) @ np.arange(3)
    read = entry.human_mean + entry.spread * (expected - entry.machine_mean)
    assert read.mean() == pytest.approx(labels.mean(), abs=0.02)
    assert read.std() == pytest.approx(labels.std(), rel=0.05)


def test_a_level_that_few_labels_left_out_is_not_ruled_out():
    logits = np.log(np.random.default_rng(1).dirichlet([1, 1, 1], size=500))
    few, many = (scaled(1.0, np.array([1] * count), logits) for count in (4, 400))
    assert few.spread > 3 * many.spread > 0


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


@pytest.mark.parametrize(
    ("name", "value"), [("folds", 1), ("lr_delta", 0.0), ("taught", 1.5), ("words", -0.1), ("precision", "fp8")]
)
def test_settings_out_of_range_are_named(name, value):
    with pytest.raises(InvalidInput, match=name):
        AdaptConfig(**{name: value})
