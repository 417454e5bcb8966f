"""What stands beside an explanation: answers like this one, and what the model's experts are used for.

Stored are references, weights and offsets; texts and scores are read when somebody looks, so that what
was erased is gone and what people scored since is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.explanation_queries import human_levels
from db.tables import ExpertProfile, LabelledExample, Response, TaskRow, TaskVersion, Upload

EXAMPLE, RESPONSE = "example", "response"
"""What a stored reference `[kind, id]` points to."""
Span = tuple[int, int]
Layers = tuple[tuple[float, ...], ...]
"""One row a MoE layer, one weight an expert."""


@dataclass(frozen=True)
class ScoredAnswer:
    """An answer that people scored: a labelled one of the item bank, or one of the same class."""

    text: str
    task_key: str
    levels: Mapping[str, int]  # criterion id -> level that stands
    of_class: bool


@dataclass(frozen=True)
class Neighbour:
    """An answer like the one that is explained, and the stretches in which the two differ."""

    answer: ScoredAnswer
    similarity: float  # 0 to 1
    ours: tuple[Span, ...]
    theirs: tuple[Span, ...]


@dataclass(frozen=True)
class Expert:
    """What one expert is used for, over the labelled answers of the item bank."""

    words: tuple[str, ...]  # those that set the answers it serves most apart from the rest
    answers: tuple[ScoredAnswer, ...]  # those that it serves most
    points: float | None  # mean share of the points, 0 to 1, that people gave to these; `None` if unscored
    other_points: float | None  # the same for the rest of the bank
    tasks: Mapping[str, float]  # task key -> its mean weight there


@dataclass(frozen=True)
class Context:
    """`task_gates` and `other_gates` are mean gate weights over this task's and all other tasks' answers.

    These and `experts` are empty until the worker has found them out.
    """

    neighbours: tuple[Neighbour, ...]
    alike: tuple[ScoredAnswer, ...]  # answers that take the same way through the experts
    task_gates: Layers
    other_gates: Layers
    experts: tuple[tuple[Expert, ...], ...]  # per layer


def read_context(
    session: Session, content: Mapping[str, Any], response_id: int, student_version_id: int, task_key: str
) -> Context:
    """Put texts and scores back into what the worker stored.

    Args:
        session: A session for reading.
        content: Of the explanation.
        response_id: Which response is explained; only answers of its section are shown, besides the bank's.
        student_version_id: The version that is explained.
        task_key: The response's task.
    """
    references = [neighbour["answer"] for neighbour in content["neighbours"]] + content["alike"]
    answers = _answers(session, references, response_id)
    profile = session.get(ExpertProfile, student_version_id)
    known: Mapping[str, Any] = profile.content if profile else {}
    task = known.get("tasks", {}).get(task_key)
    return Context(
        neighbours=tuple(
            Neighbour(answers[_key(n["answer"])], n["similarity"], _spans(n["ours"]), _spans(n["theirs"]))
            for n in content["neighbours"]
            if _key(n["answer"]) in answers
        ),
        alike=tuple(answers[_key(reference)] for reference in content["alike"] if _key(reference) in answers),
        task_gates=_layers(task["weights"]) if task else (),
        other_gates=_layers(known["others"][task_key]) if task else (),
        experts=read_experts(session, known),
    )


def read_experts(session: Session, profile: Mapping[str, Any]) -> tuple[tuple[Expert, ...], ...]:
    """What each expert of each layer is used for, as a profile of the bank says it."""
    described = profile.get("experts", [])
    answers = _answers(session, [reference for entry in described for reference in entry["answers"]], None)
    layers: dict[int, list[Expert]] = {}
    for entry in described:
        layers.setdefault(entry["layer"], []).append(
            Expert(
                words=tuple(word["word"] for word in entry["words"]),
                answers=tuple(answers[_key(reference)] for reference in entry["answers"] if _key(reference) in answers),
                points=entry["points_share"],
                other_points=entry["other_points_share"],
                tasks=dict(entry["tasks"]),
            )
        )
    return tuple(tuple(layers[layer]) for layer in sorted(layers))


def _answers(
    session: Session, references: Iterable[list[Any]], response_id: int | None
) -> dict[tuple[str, int], ScoredAnswer]:
    """The answers that are still there and that people have scored; of responses, those of the same section only."""
    keys = {_key(reference) for reference in references}
    examples = session.execute(
        select(LabelledExample, TaskRow.key)
        .join(TaskVersion, TaskVersion.id == LabelledExample.task_version_id)
        .join(TaskRow, TaskRow.id == TaskVersion.task_id)
        .where(LabelledExample.id.in_([number for kind, number in keys if kind == EXAMPLE]))
    )
    found = {(EXAMPLE, row.id): ScoredAnswer(row.text, key, dict(row.levels), False) for row, key in examples}
    section = (
        select(Upload.section_id).join(Response, Response.upload_id == Upload.id).where(Response.id == response_id)
    )
    rows = session.execute(
        select(Response.id, Response.text, TaskRow.key)
        .join(Upload, Upload.id == Response.upload_id)
        .join(TaskVersion, TaskVersion.id == Upload.task_version_id)
        .join(TaskRow, TaskRow.id == TaskVersion.task_id)
        .where(
            Response.id.in_([number for kind, number in keys if kind == RESPONSE]),
            Upload.section_id == section.scalar_subquery(),
            Response.reviewed.is_(True),
        )
    ).all()
    levels = human_levels(session, [row.id for row in rows])
    found |= {
        (RESPONSE, row.id): ScoredAnswer(row.text, row.key, levels[row.id], True) for row in rows if row.id in levels
    }
    return found


def _key(reference: list[Any]) -> tuple[str, int]:
    kind, number = reference
    return str(kind), int(number)


def _spans(values: Iterable[Iterable[int]]) -> tuple[Span, ...]:
    return tuple((int(start), int(end)) for start, end in values)


def _layers(values: Iterable[Iterable[float]]) -> Layers:
    return tuple(tuple(row) for row in values)
