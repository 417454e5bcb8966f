from __future__ import annotations

import numpy as np
import pytest

from scoring.domain import Criterion, Level, Task
from scoring.errors import InvalidInput
from scoring.itembank import LabelledResponse
from scoring.training.teachers.human import HumanTeacher

TASK = Task(
    "ice", "Ice", "Why?",
    (
        Criterion("score", "Score", tuple(Level(v, f"{v}") for v in range(1, 4))),
        Criterion("claim", "Claim", (Level(0, "no"), Level(1, "yes"))),
    ),
)  # fmt: skip


def row(first: int | None, second: int | None) -> LabelledResponse:
    return LabelledResponse(
        "ice", f"{first}-{second}", "text", {} if first is None else {"score": first},
        {} if second is None else {"score": second},
    )  # fmt: skip


def test_a_second_rating_says_what_first_ratings_went_with_it():
    rows = [row(1, 1)] * 300 + [row(2, 1)] * 100 + [row(3, 3)] * 50
    fitted = HumanTeacher().fit({"ice": TASK}, rows)
    found = fitted.predict_proba("ice", [row(None, 1), row(None, 3), row(None, 2), row(2, None)])
    table = found["score"]
    assert table[0] == pytest.approx([0.75, 0.25, 0], abs=0.02)
    assert table[1] == pytest.approx([0.0, 0.0, 1.0], abs=0.05)
    # Never seen: the belief before any rating was counted.
    assert table[2] == pytest.approx([0.1, 0.8, 0.1])
    assert np.isnan(table[3]).all()
    assert np.isnan(found["claim"]).all()
    assert np.nansum(table, axis=1)[:3] == pytest.approx(np.ones(3))


def test_its_opinion_is_of_the_second_rating_and_not_of_the_first():
    fitted = HumanTeacher().fit({"ice": TASK}, [row(1, 1), row(2, 2)] * 20)
    table = fitted.predict_proba("ice", [row(1, 2), row(3, 2), row(None, 2)])["score"]
    assert (table == table[0]).all()


def test_rows_with_one_rating_or_of_another_task_count_for_nothing():
    bare = HumanTeacher().fit({"ice": TASK}, [])
    other = LabelledResponse("sand", "s", "text", {"score": 1}, {"score": 3})
    fitted = HumanTeacher().fit({"ice": TASK}, [row(1, None), row(None, 3), other])
    asked = [row(None, level) for level in (1, 2, 3)]
    np.testing.assert_array_equal(
        bare.predict_proba("ice", asked)["score"], fitted.predict_proba("ice", asked)["score"]
    )


@pytest.mark.parametrize(("name", "value"), [("strength", 0.0), ("agreement", 1.0), ("agreement", 0.0)])
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(InvalidInput, match=name):
        HumanTeacher(**{name: value})
