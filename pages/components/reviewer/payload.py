"""What the desk draws, as JSON: the answers around the one that shows, their rubric, and where the work stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pages.components.queue import FILTERS, ORDERS, queue_words
from scoring.domain import COUNTING_KINDS, Criterion
from scoring.services.review import (
    CriterionView,
    GroupMember,
    HistoryEntry,
    QueueFilter,
    QueueOrder,
    QueueState,
    ResponseView,
)


def desk_data(
    views: Sequence[ResponseView], current: int, state: QueueState, order: QueueOrder, only: QueueFilter | None,
    answer_to: Mapping[str, Any] | None,
) -> dict[str, Any]:  # fmt: skip
    """Everything the desk needs for one run.

    Args:
        views: Responses that follow each other in the order, the one that shows among them.
        current: The id of the one that shows.
        state: How far the work is.
        order: The order of the work.
        only: Which answers are looked through.
        answer_to: What became of the desk's last message.
    """
    shown = next(view for view in views if view.id == current)
    return {
        "upload": shown.upload_id,
        "current": current,
        "order": [view.id for view in views],
        "answers": [_view_data(view) for view in views],
        "rubric": [_criterion_data(criterion) for criterion in shown.task.criteria],
        "templates": {key: dict(texts) for key, texts in shown.templates.items()},
        "ready": {key: dict(texts) for key, texts in shown.ready.items()},
        "reasons": list(shown.reasons),
        "free_text": shown.free_text,
        "orders": [{"value": value, "name": name} for value, name in ORDERS.items()],
        "filters": [{"value": value or "", "name": name} for value, name in FILTERS.items()],
        "queue": {
            "order": order, "only": only or "", "total": state.total, "reviewed": state.reviewed,
            "blind_left": state.blind_left, "words": queue_words(state),
        },
        "answer_to": answer_to,
    }  # fmt: skip


def who(identifier: str, name: str) -> str:
    """A learner as the desk calls them.

    >>> who("s1", "Ann"), who("s1", "")
    ('Ann (s1)', 's1')
    """
    return f"{name} ({identifier})" if name else identifier


def member_data(member: GroupMember) -> dict[str, Any]:
    """One of the answers that say the same."""
    return {
        "id": member.id, "who": member.learner, "text": member.text, "revision": member.revision,
        "reviewed": member.reviewed, "machine": dict(member.machine),
        "words": ", ".join(f"level {level}" for level in member.levels.values()),
    }  # fmt: skip


def refusal_rows(view: ResponseView, levels: Mapping[str, int]) -> list[dict[str, str]]:
    """A refused decision and what stands, criterion by criterion."""
    return [
        {
            "name": part.criterion.name,
            "yours": f"level {levels[part.criterion.id]}" if part.criterion.id in levels else "–",
            "stands": _stands(part),
        }
        for part in view.criteria
    ]


def _view_data(view: ResponseView) -> dict[str, Any]:
    return {
        "id": view.id,
        "revision": view.revision,
        "who": who(view.learner, view.learner_name)
        + (f" · attempt {view.attempt}" if view.attempt > 1 else "")
        + f" · row {view.row}",
        "text": view.text,
        "hidden": view.machine_hidden,
        "badges": _badges(view),
        "flagged": view.flagged,
        "flag_note": view.flag_note,
        "claimed_by": view.claimed_by,
        "comments": dict(view.comments),
        "group_size": view.group_size,
        "parts": {part.criterion.id: _part_data(part) for part in view.criteria},
    }


def _badges(view: ResponseView) -> list[dict[str, str]]:
    badges = []
    if view.reviewed:
        badges.append({"kind": "done", "text": "reviewed"})
    elif view.machine_hidden:
        badges.append({"kind": "blind", "text": "to be scored without the model"})
    else:
        suggested = any(part.machine for part in view.criteria)
        badges.append({"kind": "open", "text": "not reviewed" + ("" if suggested else ", no score yet")})
    if view.flagged:
        badges.append({"kind": "check", "text": "flagged"})
    badges += [{"kind": "check", "text": check.words} for check in view.checks]
    return badges


def _part_data(part: CriterionView) -> dict[str, Any]:
    machine = None
    if part.machine is not None:
        machine = {
            "level": part.machine.level,
            "sure": round(100 * part.machine.probability(part.criterion)),
            "shares": [round(100 * share) for share in part.machine.probabilities],
            "likely": list(part.machine.level_set),
        }
    return {
        "machine": machine,
        "final": part.final.level,
        "reviewed": part.final.reviewed,
        "words": f"{_stands(part)}." if part.final.reviewed else "",
    }


def _stands(part: CriterionView) -> str:
    """The decision that stands on a criterion, with who made it."""
    if not part.final.reviewed:
        suggestion = f" (the model says level {part.machine.level})" if part.machine else ""
        return f"Not decided{suggestion}"
    entry = _standing(part.history)
    if entry is None:
        return f"Level {part.final.level}"
    reasons = "; ".join(filter(None, (entry.reason_kind, entry.reason)))
    return f"{entry.rater} chose level {part.final.level}" + (f": “{reasons}”" if reasons else "")


def _standing(history: Sequence[HistoryEntry]) -> HistoryEntry | None:
    return next((entry for entry in reversed(history) if entry.kind in COUNTING_KINDS and not entry.retracted), None)


def _criterion_data(criterion: Criterion) -> dict[str, Any]:
    return {
        "id": criterion.id,
        "name": criterion.name,
        "description": criterion.description,
        "levels": [
            {"value": level.value, "label": level.label, "descriptor": level.descriptor} for level in criterion.levels
        ],
    }
