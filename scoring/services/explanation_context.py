"""What stands beside an explanation: answers like this one, and what the model's experts are used for.

Stored are ids, weights and offsets; texts and scores are read when somebody looks, so that what was
erased is gone and what people scored since is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.queries import human_scores
from db.tables import LabelledExample, Response, Upload
from scoring.domain import final_score

Span = tuple[int, int]
Layers = tuple[tuple[float, ...], ...]
"""One row a MoE layer, one weight an expert."""


@dataclass(frozen=True)
class ScoredAnswer:
    """An answer that people scored: a labelled one of the item bank, or one of the same class."""

    text: str
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

    words: tuple[str, ...]  # those most typical of the answers that it serves
    answers: tuple[ScoredAnswer, ...]  # those that it serves most
    points: float | None  # mean share of the points, 0 to 1, that people gave to answers in proportion to its use


@dataclass(frozen=True)
class Context:
    """`task_gates` and `other_gates` are mean gate weights over this task's and all other tasks' answers."""

    neighbours: tuple[Neighbour, ...]
    alike: tuple[ScoredAnswer, ...]  # answers that take the same way through the experts
    task_gates: Layers
    other_gates: Layers
    experts: tuple[tuple[Expert, ...], ...]  # per layer


def read_context(session: Session, content: Mapping[str, Any], response_id: int) -> Context:
    """Put texts and scores back into what the worker stored."""
    experts = content["experts"]
    answers = _answers(
        session,
        [n["answer"] for n in content["neighbours"]]
        + content["alike"]
        + [answer for layer in experts for expert in layer for answer in expert["answers"]],
        response_id,
    )

    def those(references: Iterable[list[Any]]) -> tuple[ScoredAnswer, ...]:
        return tuple(answers[_key(reference)] for reference in references if _key(reference) in answers)

    return Context(
        neighbours=tuple(
            Neighbour(answers[_key(n["answer"])], n["similarity"], _spans(n["ours"]), _spans(n["theirs"]))
            for n in content["neighbours"]
            if _key(n["answer"]) in answers
        ),
        alike=those(content["alike"]),
        task_gates=_layers(content["task_gates"]),
        other_gates=_layers(content["other_gates"]),
        experts=tuple(
            tuple(Expert(tuple(expert["words"]), those(expert["answers"]), expert["points"]) for expert in layer)
            for layer in experts
        ),
    )


EXAMPLE, RESPONSE = "example", "response"
"""What a stored reference `[kind, id]` points to."""


def _answers(
    session: Session, references: Iterable[list[Any]], response_id: int
) -> dict[tuple[str, int], ScoredAnswer]:
    """The answers that are still there and that people have scored; of responses, those of the same section only."""
    keys = {_key(reference) for reference in references}
    examples = session.scalars(
        select(LabelledExample).where(LabelledExample.id.in_([i for kind, i in keys if kind == EXAMPLE]))
    )
    found = {(EXAMPLE, row.id): ScoredAnswer(row.text, dict(row.levels), False) for row in examples}
    section = (
        select(Upload.section_id).join(Response, Response.upload_id == Upload.id).where(Response.id == response_id)
    )
    rows = session.execute(
        select(Response.id, Response.text)
        .join(Upload, Upload.id == Response.upload_id)
        .where(
            Response.id.in_([i for kind, i in keys if kind == RESPONSE]),
            Upload.section_id == section.scalar_subquery(),
            Response.reviewed.is_(True),
        )
    ).all()
    levels: dict[int, dict[str, int]] = {}
    for (of, criterion_id), scores in human_scores(session, [row.id for row in rows]).items():
        level = final_score(None, scores).level
        if level is not None:
            levels.setdefault(of, {})[criterion_id] = level
    found |= {(RESPONSE, row.id): ScoredAnswer(row.text, levels[row.id], True) for row in rows if row.id in levels}
    return found


def _key(reference: list[Any]) -> tuple[str, int]:
    kind, number = reference
    return str(kind), int(number)


def _spans(values: Iterable[Iterable[int]]) -> tuple[Span, ...]:
    return tuple((int(start), int(end)) for start, end in values)


def _layers(values: Iterable[Iterable[float]]) -> Layers:
    return tuple(tuple(row) for row in values)
