"""A task while it is being written: a plain entry as in `tasks.json`, and the number of its last rebuild."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from pages.components.session import Key
from scoring.domain import task_to_json
from scoring.services.tasks import TaskSummary

FIELDS = ("title", "subject", "grade", "standard", "prompt", "stimulus", "rubric_text")
FIRST_LEVELS = (("Not yet", ""), ("Partly", ""), ("Fully", ""))


@dataclass
class Draft:
    """What a form is filled from. A new `revision` makes new widgets, filled from `entry`."""

    entry: dict[str, Any]
    task_id: int | None = None
    version: int = 0  # the version that it was filled from
    revision: int = 0
    stale: bool = False  # somebody else saved a newer version meanwhile
    source: tuple[str, bytes] | None = field(default=None, repr=False)  # labelled answers that came along

    def rebuild(self, entry: Mapping[str, Any]) -> None:
        """Fill the form anew."""
        self.entry, self.revision = dict(entry), self.revision + 1


def new_criterion(number: int) -> dict[str, Any]:
    """A criterion to be filled in."""
    levels = [{"value": value, "label": label, "descriptor": text} for value, (label, text) in enumerate(FIRST_LEVELS)]
    return {"id": "", "name": "" if number > 1 else "Score", "description": "", "levels": levels}


def empty_entry() -> dict[str, Any]:
    """A task to be written from nothing."""
    return {**dict.fromkeys(FIELDS, ""), "reference_answers": [], "criteria": [new_criterion(1)]}


def current_draft(summary: TaskSummary | None) -> Draft:
    """The draft of this task, or of a new one, made where there is none."""
    held = st.session_state.get(Key.DRAFT)
    task_id = None if summary is None else summary.id
    if isinstance(held, Draft) and held.task_id == task_id:
        return held
    if summary is None:
        return start_draft(empty_entry())
    return start_draft(task_to_json(summary.task), task_id=summary.id, version=summary.version_number)


def start_draft(entry: Mapping[str, Any], **details: Any) -> Draft:
    """Put another draft in place of the one that is there."""
    held = st.session_state.get(Key.DRAFT)
    draft = Draft(dict(entry), revision=getattr(held, "revision", 0) + 1, **details)
    st.session_state[Key.DRAFT] = draft
    return draft


def one_level_more(criterion: Mapping[str, Any]) -> dict[str, Any]:
    """The criterion with a level on top.

    >>> [level["value"] for level in one_level_more({"levels": [{"value": 0}, {"value": 1}]})["levels"]]
    [0, 1, 2]
    """
    points = [level["value"] for level in criterion["levels"] if isinstance(level["value"], int)]
    top = {"value": max(points, default=-1) + 1, "label": "", "descriptor": ""}
    return {**criterion, "levels": [*criterion["levels"], top]}


def one_level_fewer(criterion: Mapping[str, Any]) -> dict[str, Any]:
    """The criterion without its last level; two stay."""
    levels = criterion["levels"]
    return {**criterion, "levels": levels[:-1] if len(levels) > 2 else levels}


def answers_of(text: str, before: list[str]) -> list[str]:
    r"""One reference answer a line; answers that hold lines of their own stay whole while nobody edits them.

    >>> answers_of("Heat.\n\n Warmth ", []), answers_of("a\nb", ["a\nb"])
    (['Heat.', 'Warmth'], ['a\nb'])
    """
    if text == "\n".join(before):
        return before
    return [line.strip() for line in text.splitlines() if line.strip()]
