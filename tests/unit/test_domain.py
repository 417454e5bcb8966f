"""The rules of the product that need nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.domain import (
    COUNTING_KINDS,
    Criterion,
    CriterionScore,
    FinalScore,
    HumanScore,
    HumanScoreKind,
    Level,
    Task,
    content_hash,
    final_score,
    round_half_up,
    task_from_json,
    task_to_json,
)
from scoring.errors import InvalidInput

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
K = HumanScoreKind


def _score(number: int, kind: HumanScoreKind, level: int | None = 1, retracts: int | None = None) -> HumanScore:
    return HumanScore(number, "heat", kind, level, rater_id=1, created_at=NOON, retracts_id=retracts)


@st.composite
def histories(draw: st.DrawFn) -> list[HumanScore]:
    """Scores in the order they were given; a retraction names an earlier one."""
    scores: list[HumanScore] = []
    for number in range(1, draw(st.integers(0, 8)) + 1):
        kind = draw(st.sampled_from(list(K)))
        if kind is K.RETRACT and not scores:
            kind = K.OVERRIDE
        retracted = draw(st.sampled_from(scores)).id if kind is K.RETRACT else None
        level = None if kind is K.RETRACT else draw(st.integers(0, 4))
        scores.append(_score(number, kind, level, retracted))
    return scores


# The final score --------------------------------------------------------------------------------------


def test_without_anybody_there_is_no_score() -> None:
    assert final_score(None, []) == FinalScore(None, False, "none")


@pytest.mark.parametrize("kind", sorted(COUNTING_KINDS))
def test_a_counting_human_score_wins_over_the_machine(kind: HumanScoreKind) -> None:
    assert final_score(3, [_score(1, kind, 0)]) == FinalScore(0, True, kind.value)


def test_a_second_rating_never_counts_before_adjudication() -> None:
    assert final_score(2, [_score(1, K.SECOND, 0)]) == FinalScore(2, False, "machine")
    assert final_score(2, [_score(1, K.OVERRIDE, 1), _score(2, K.SECOND, 0)]).level == 1
    adjudicated = [_score(1, K.OVERRIDE, 1), _score(2, K.SECOND, 0), _score(3, K.ADJUDICATED, 0)]
    assert final_score(2, adjudicated) == FinalScore(0, True, "adjudicated")


def test_a_retraction_brings_back_the_score_before() -> None:
    scores = [_score(1, K.CONFIRM, 2), _score(2, K.OVERRIDE, 0), _score(3, K.RETRACT, None, 2)]
    assert final_score(2, scores) == FinalScore(2, True, "confirm")
    assert final_score(2, [*scores, _score(4, K.RETRACT, None, 1)]) == FinalScore(2, False, "machine")


@given(machine=st.none() | st.integers(0, 4), scores=histories())
def test_the_latest_counting_score_that_was_not_retracted_wins(machine: int | None, scores: list[HumanScore]) -> None:
    standing = list(scores)
    for score in scores:
        if score.kind is K.RETRACT:
            standing = [other for other in standing if other.id != score.retracts_id]
    standing = [score for score in standing if score.kind in COUNTING_KINDS]
    final = final_score(machine, scores)
    if standing:
        assert final == FinalScore(standing[-1].level, True, standing[-1].kind.value)
    else:
        assert final == FinalScore(machine, False, "none" if machine is None else "machine")


@given(scores=histories(), one=st.none() | st.integers(0, 4), other=st.none() | st.integers(0, 4))
def test_the_machine_never_moves_what_a_person_said(
    scores: list[HumanScore], one: int | None, other: int | None
) -> None:
    before, after = final_score(one, scores), final_score(other, scores)
    assert before.reviewed == after.reviewed
    if before.reviewed:
        assert before == after


@given(scores=histories(), data=st.data())
def test_the_order_in_which_scores_are_read_does_not_matter(scores: list[HumanScore], data: st.DataObject) -> None:
    assert final_score(1, data.draw(st.permutations(scores))) == final_score(1, scores)


@given(scores=histories(), minutes=st.lists(st.integers(-1000, 1000), min_size=8, max_size=8))
def test_clocks_that_disagree_do_not_reorder_decisions(scores: list[HumanScore], minutes: list[int]) -> None:
    moved = [
        HumanScore(s.id, s.criterion_id, s.kind, s.level, s.rater_id, NOON + timedelta(minutes=m), "", s.retracts_id)
        for s, m in zip(scores, minutes, strict=False)
    ]
    assert final_score(1, moved) == final_score(1, scores)


def test_scores_can_be_given_as_any_iterable() -> None:
    assert final_score(0, iter([_score(1, K.OVERRIDE, 2), _score(2, K.RETRACT, None, 1)])).level == 0


# Levels and rounding ----------------------------------------------------------------------------------


@given(low=st.integers(0, 3), count=st.integers(2, 5), share=st.floats(0, 1))
def test_a_rounded_score_is_a_level_of_the_criterion(low: int, count: int, share: float) -> None:
    expected = low + share * (count - 1)
    level = round_half_up(expected)
    assert low <= level <= low + count - 1
    assert abs(level - expected) <= 0.5 + 1e-9


@pytest.mark.parametrize("values", [[], [0], [0, 2], [1, 0], [0, 0, 1], [2, 1, 0]])
def test_levels_must_be_consecutive_and_ascending(values: list[int]) -> None:
    with pytest.raises(InvalidInput, match="criterion 'heat'"):
        Criterion("heat", "Heat", tuple(Level(value, "") for value in values))


def test_levels_may_begin_anywhere() -> None:
    criterion = Criterion("heat", "Heat", tuple(Level(value, "") for value in (1, 2, 3)))
    assert (criterion.values, criterion.highest) == ((1, 2, 3), 3)
    score = CriterionScore("heat", 2, 2.1, (0.1, 0.7, 0.2))
    assert score.probability(criterion) == 0.7


# Tasks ------------------------------------------------------------------------------------------------

_text = st.text(max_size=20)
_name = st.text(min_size=1, max_size=12)


@st.composite
def tasks(draw: st.DrawFn) -> Task:
    ids = draw(st.lists(_name, min_size=1, max_size=4, unique=True))
    criteria = tuple(
        Criterion(
            id=key,
            name=draw(_name),
            description=draw(_text),
            levels=tuple(Level(low + step, draw(_text), draw(_text)) for step in range(draw(st.integers(2, 4)))),
        )
        for key in ids
        for low in [draw(st.integers(-1, 2))]
    )
    known = set(Task.__dataclass_fields__)
    extra = draw(
        st.dictionaries(_name.filter(lambda key: key not in known), st.none() | _text | st.integers(), max_size=2)
    )
    return Task(
        id=draw(_name), title=draw(_name), prompt=draw(_name), criteria=criteria, subject=draw(_text),
        grade=draw(_text), standard=draw(_text), stimulus=draw(_text), stimulus_figure=draw(_text),
        stimulus_alt=draw(_text), rubric_text=draw(_text),
        reference_answers=tuple(draw(st.lists(_text, max_size=3))), extra=extra,
    )  # fmt: skip


@given(task=tasks())
def test_a_task_survives_its_file(task: Task) -> None:
    entry = json.loads(json.dumps(task_to_json(task)))
    back = task_from_json(entry)
    assert back == task
    assert back.extra == task.extra, "unknown keys are kept"
    assert task_to_json(back) == task_to_json(task)


@given(task=tasks())
def test_a_tasks_hash_does_not_depend_on_the_order_of_keys(task: Task) -> None:
    entry = task_to_json(task)
    assert content_hash(dict(reversed(entry.items()))) == content_hash(entry)
    assert content_hash({**entry, "prompt": task.prompt + "!"}) != content_hash(entry)


def test_a_task_knows_its_criteria_and_points() -> None:
    heat = Criterion("heat", "Heat", (Level(0, ""), Level(1, ""), Level(2, "")))
    claim = Criterion("claim", "Claim", (Level(0, ""), Level(1, "")))
    task = Task("ice", "Ice", "Why?", (heat, claim))
    assert (task.highest, task.criterion("claim")) == (3, claim)
    assert task.scoring_shape() == {"heat": [0, 1, 2], "claim": [0, 1]}
    with pytest.raises(InvalidInput, match="no criterion 'style'"):
        task.criterion("style")


@pytest.mark.parametrize("criteria", [(), ("heat", "heat")])
def test_a_task_needs_criteria_with_distinct_ids(criteria: tuple[str, ...]) -> None:
    levels = (Level(0, ""), Level(1, ""))
    with pytest.raises(InvalidInput, match="task 'ice'"):
        Task("ice", "Ice", "Why?", tuple(Criterion(key, key, levels) for key in criteria))
