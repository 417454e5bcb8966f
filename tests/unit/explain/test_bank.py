"""What is gathered over many answers: words of a task, experts, neighbours. No model is needed."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from scoring.explain.experts import contrast, describe_experts
from scoring.explain.gates import GateProfile, profile_of
from scoring.explain.neighbours import KnownAnswer, Neighbour, Neighbourhood
from scoring.explain.task_words import word_effects
from scoring.explain.words import word_spans
from scoring.inference.engine import Reading

from .test_explanation import CRITERION, SCORE, WHOLE


def explained(text: str, values: list[float], *, trustworthy: bool = True):
    attribution = dataclasses.replace(SCORE, values=tuple(values), trustworthy=trustworthy)
    criterion = dataclasses.replace(CRITERION, attribution=attribution)
    return text, dataclasses.replace(WHOLE, spans=word_spans(text), criteria=(criterion,))


def known(gates: list[list[float]], texts: list[str], levels: list[int], task: str = "a") -> Neighbourhood:
    answers = [KnownAnswer(f"{task}{i}", t, {"score": v}) for i, (t, v) in enumerate(zip(texts, levels, strict=True))]
    vectors = np.eye(len(texts), 4, dtype=np.float32) + 0.1
    return Neighbourhood(answers, vectors, np.array(gates, dtype=np.float32)[:, None, :])


def test_words_of_a_task_are_those_that_move_many_answers_the_same_way() -> None:
    answers = [
        explained(f"Salt melts it, number{n} no", [0.5 + n / 50, 0.01 * (-1) ** n, 0, 0.9, -0.3]) for n in range(6)
    ]
    answers.append(explained("salt salt", [3.0, 3.0], trustworthy=False))
    found = word_effects(answers, "score")
    assert [e.word for e in found.up] == ["salt"]
    assert [e.word for e in found.down] == ["no"]
    assert found.up[0].effect == pytest.approx(0.55)
    assert (found.up[0].answers, found.answers, found.withheld) == (6, 6, 1)


def test_a_word_that_comes_twice_counts_with_both_its_places() -> None:
    found = word_effects([explained("salt and salt", [0.2, 0.0, 0.3])] * 3, "score")
    assert found.up[0].effect == pytest.approx(0.5)


BANK = {
    "a": known(
        [[0.9, 0.1, 0.0]] * 8 + [[0.6, 0.4, 0.0]] * 2, ["salt melts"] * 8 + ["heat warms"] * 2, [2] * 8 + [0] * 2
    ),
    "b": known([[0.1, 0.9, 0.0]] * 10, ["wind blows"] * 10, [1] * 10, "b"),
}
SHAPES = {"a": {"score": (0, 1, 2)}, "b": {"score": (0, 1, 2)}}


def test_the_profile_tells_tasks_levels_and_unused_experts_apart() -> None:
    profile = profile_of(BANK)
    assert profile.tasks["a"].weights[0] == pytest.approx((0.84, 0.16, 0))
    assert profile.others("a")[0] == pytest.approx((0.1, 0.9, 0))
    assert profile.weights[0] == pytest.approx((0.47, 0.53, 0))
    assert profile.unused == ((0, 2),)
    assert profile.collapsed == ()
    by_level = {level.level: level for level in profile.tasks["a"].levels}
    assert by_level[0].weights[0] == pytest.approx((0.6, 0.4, 0))
    assert by_level[2].answers == 8


def test_a_layer_with_one_expert_at_work_has_collapsed() -> None:
    assert profile_of({"a": known([[0.95, 0.05]] * 4, ["x"] * 4, [0] * 4)}).collapsed == (0,)
    assert GateProfile({}).unused == GateProfile({}).collapsed == ()
    assert GateProfile({}).others("a") == ()


def test_an_expert_is_described_by_its_answers_words_and_scores() -> None:
    first, second, third = describe_experts(BANK, SHAPES)
    assert first.tasks == pytest.approx({"a": 0.84, "b": 0.1})
    assert [answer.id for answer in first.answers] == ["a0", "a1"]
    assert first.points_share == 1.0
    assert {answer.task_id for answer in second.answers} == {"b"}
    assert second.points_share == 0.5
    assert (third.layer, third.expert, third.weight) == (0, 2, 0.0)


def test_contrast_words_are_those_of_one_side() -> None:
    here, there = [frozenset({"salt", "the"})] * 20, [frozenset({"heat", "the"})] * 20
    assert [word.word for word in contrast(here, there)] == ["salt"]
    assert contrast(here, here) == contrast([], []) == contrast([frozenset({"a"})], []) == ()


def test_neighbours_come_nearest_first_without_the_answer_itself() -> None:
    reading = Reading({}, np.array([[[0.6, 0.4, 0.0]]]), np.array([[0.1, 1.1, 0.1, 0.1]]), np.array([False]))
    found = BANK["a"].nearest(reading, "salt freezes", 2, without="a2")
    assert found[0].id == "a1"
    assert found[0].similarity == pytest.approx(1)
    assert "a2" not in {neighbour.id for neighbour in found}
    assert [(d.ours, d.theirs) for d in found[0].differences] == [((5, 12), (5, 10))]
    assert [n.id for n in BANK["a"].routed_alike(reading, "heat", 2)] == ["a8", "a9"]
    assert Neighbour.from_json(json.loads(json.dumps(found[0].to_json()))) == found[0]


def test_an_empty_bank_has_no_neighbours_and_no_experts() -> None:
    empty = Neighbourhood([], np.zeros((0, 4), np.float32), np.zeros((0, 1, 3), np.float32))
    reading = Reading({}, np.zeros((1, 1, 3)), np.ones((1, 4)), np.array([False]))
    assert empty.nearest(reading, "x") == empty.routed_alike(reading, "x") == []
    assert describe_experts({"a": empty}, SHAPES) == ()
    assert profile_of({"a": empty}).tasks == {}
