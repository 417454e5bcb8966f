from __future__ import annotations

import dataclasses
import json

import pytest

from scoring.errors import InvalidInput
from scoring.explain.explanation import (
    Attribution,
    CriterionExplanation,
    ExplainSettings,
    Explanation,
    Faithfulness,
    LevelPair,
)

TESTED = Faithfulness(1, 5, 0.4, 1.1, 0.9, 0.7, 0.1, 0.05, 0.2, 0.5, 0.9)
SCORE = Attribution(0.1, 1.0, (0.8, 0.1), True, "Tested.", TESTED)
PAIR = LevelPair(0, 1, Attribution(-3.0, 1.5, (4.0, 0.5), False, "Withheld.", None))
CRITERION = CriterionExplanation("score", 1, (0, 1, 2), (0.2, 0.6, 0.2), 1.0, (0.01, -0.3), SCORE, (PAIR,), -1.0)
WHOLE = Explanation("ice", "abc", "def", ((0, 4), (5, 8)), 2, False, (CRITERION,), ((0.5, 0.5), (1.0, 0.0)), "")
FIRST = dataclasses.replace(
    WHOLE, criteria=(dataclasses.replace(CRITERION, attribution=None, pairs=(), agreement=None),)
)


@pytest.mark.parametrize("explanation", [WHOLE, FIRST, dataclasses.replace(WHOLE, spans=(), gate_weights=())])
def test_an_explanation_survives_json(explanation: Explanation) -> None:
    assert Explanation.from_json(json.loads(json.dumps(explanation.to_json()))) == explanation


@pytest.mark.parametrize("damage", [{"spans": 3}, {"criteria": [{"id": "x"}]}, {"unknown": 1}])
def test_a_damaged_explanation_is_refused(damage: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match="compute it again"):
        Explanation.from_json({**WHOLE.to_json(), **damage})


def test_a_first_look_is_not_complete() -> None:
    assert WHOLE.complete
    assert not FIRST.complete


def test_gate_entropy_tells_one_expert_from_all() -> None:
    assert WHOLE.gate_entropy == (1.0, 0.0)


def test_small_values_are_not_painted_in_the_deepest_colour() -> None:
    assert WHOLE.criterion("score").scale == 0.8
    faint = dataclasses.replace(CRITERION, attribution=dataclasses.replace(SCORE, values=(0.01, 0.0)))
    assert faint.scale == 0.2
    with pytest.raises(InvalidInput, match="'other'"):
        WHOLE.criterion("other")


def test_settings_are_checked_and_each_changes_the_hash() -> None:
    hashes = {ExplainSettings().hash()}
    for change in ({"evaluations": 64}, {"draws": 24}, {"steps": 4}, {"seed": 1}):
        hashes.add(ExplainSettings(**change).hash())
    assert len(hashes) == 5
    for wrong in ({"evaluations": 2}, {"draws": 1}, {"steps": 1}):
        with pytest.raises(InvalidInput, match=next(iter(wrong))):
            ExplainSettings(**wrong)
