"""Explanations as the worker would have stored them, for screens that show them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update

from db.tables import ExpertProfile, LabelledExample, TaskRow, TaskVersion, Trial
from db.tables import Explanation as Row
from scoring.explain.explanation import Attribution, CriterionExplanation, Explanation, Faithfulness, LevelPair
from scoring.explain.words import word_spans
from scoring.services.house import Services

TESTED = Faithfulness(1, 16, 0.4, 1.1, 0.8, 0.7, 0.1, 0.0, 0.1, 0.4, 0.9)
GATES = ((0.7, 0.2, 0.1), (0.1, 0.3, 0.6))


def attribution(
    values: Sequence[float], *, shown: bool = True, sentence: str = "Tested by taking words out."
) -> Attribution:
    """With these values, passed or withheld."""
    return Attribution(0.1, 0.1 + sum(values), tuple(values), shown, sentence, TESTED)


def explanation(
    text: str,
    criterion_id: str,
    levels: tuple[int, ...],
    level: int,
    values: Sequence[float] = (),
    *,
    shown: bool = True,
    whole: bool = True,
    gates: tuple[tuple[float, ...], ...] = GATES,
    expected: float | None = None,
    words_read: int | None = None,
    note: str = "",
) -> Explanation:
    """Of one criterion; words without a value moved nothing."""
    spans = word_spans(text)
    full = [*values, *[0.0] * (len(spans) - len(values))]
    shares = [0.8 if value == level else 0.2 / (len(levels) - 1) for value in levels]
    pairs = [
        LevelPair(
            lower, lower + 1, attribution([2 * value for value in full], sentence=f"Tested: {lower} or {lower + 1}.")
        )
        for lower in (level - 1, level)
        if lower in levels and lower + 1 in levels
    ]
    sentence = "Tested by taking words out." if shown else "No words are highlighted: they do no better than chance."
    criterion = CriterionExplanation(
        criterion_id, level, levels, tuple(shares), float(level) if expected is None else expected, tuple(full),
        attribution(full, shown=shown, sentence=sentence) if whole else None, tuple(pairs) if whole else (),
        0.7 if whole else None,
    )  # fmt: skip
    read = len(spans) if words_read is None else words_read
    return Explanation("task", "v1", "hash", spans, read, read < len(spans), (criterion,), gates, note)


def store(services: Services, response_id: int, **values: Any) -> None:
    """Write to the row that somebody's question made."""
    with services.database.write() as session:
        session.execute(update(Row).where(Row.response_id == response_id).values(**values))


def finish(
    services: Services, response_id: int, made: Explanation, *, neighbours: Sequence[dict[str, Any]] = (),
    alike: Sequence[list[Any]] = (),
) -> None:  # fmt: skip
    """What the worker writes in the end."""
    content = {"explanation": made.to_json(), "neighbours": list(neighbours), "alike": list(alike)}
    store(services, response_id, status="done", content=content, first=None)


def answer_trials(services: Services, made: Explanation) -> None:
    """What the worker writes to every trial."""
    with services.database.write() as session:
        session.execute(update(Trial).values(content=made.to_json()))


def examples(services: Services, task_key: str) -> list[int]:
    """Ids of a task's labelled answers."""
    with services.database.read() as session:
        query = (
            select(LabelledExample.id)
            .join(TaskVersion, TaskVersion.id == LabelledExample.task_version_id)
            .join(TaskRow, TaskRow.id == TaskVersion.task_id)
            .where(TaskRow.key == task_key)
            .order_by(LabelledExample.id)
        )
        return list(session.scalars(query))


def write_profile(services: Services, *, unused: Sequence[Any] = (), collapsed: Sequence[int] = ()) -> None:
    """What the worker finds out about the experts while idle."""
    heat, light = examples(services, "melting-ice"), examples(services, "plant-light")

    def use(criterion_id: str, count: int) -> dict[str, Any]:
        levels = [
            {"criterion_id": criterion_id, "level": level, "answers": 3 + level, "weights": GATES} for level in (0, 1)
        ]
        return {"answers": count, "weights": GATES, "entropy": [0.73, 0.82], "levels": levels}

    experts = [
        {
            "layer": layer, "expert": expert, "weight": 0.3, "tasks": {"melting-ice": 0.5, "plant-light": 0.1},
            "answers": [["example", heat[0]], ["example", light[0]]],
            "words": [{"word": "heat*", "contrast": 3.0, "answers": 4}],
            "points_share": 0.75, "other_points_share": 0.25,
        }
        for layer in (0, 1)
        for expert in (0, 1, 2)
    ]  # fmt: skip
    content = {
        "tasks": {"melting-ice": use("heat", 2), "plant-light": use("score", 1)},
        "others": {"melting-ice": GATES, "plant-light": GATES},
        "unused": [list(pair) for pair in unused], "collapsed": list(collapsed), "experts": experts,
    }  # fmt: skip
    with services.database.write() as session:
        session.add(ExpertProfile(student_version_id=1, examples=3, content=content))
