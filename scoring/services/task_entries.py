"""A task as somebody writes it on a screen or in a file: checked, with ids made where there are none."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any

from scoring.domain import Task, task_from_json
from scoring.errors import InvalidInput
from scoring.services.tasks import TABLE_COLUMNS

LONGEST = {"id": 100, "title": 300, "prompt": 20_000, "stimulus": 50_000, "rubric_text": 50_000, "standard": 500,
           "subject": 200, "grade": 100, "stimulus_alt": 5_000}  # fmt: skip
"""The most characters of a field."""
MOST_CRITERIA = 12
MOST_LEVELS = 12
MOST_BYTES = 400_000
_RESERVED = TABLE_COLUMNS | {"task_id", "response_id", "text", "fold"}
_NOT_IN_ID = re.compile(r"[^a-z0-9]+")


def slug(text: str, fallback: str, longest: int = 60) -> str:
    """An id from a name.

    >>> slug("Why does ice melt?", "task"), slug("氷", "task")
    ('why-does-ice-melt', 'task')
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return _NOT_IN_ID.sub("-", plain).strip("-")[:longest].strip("-") or fallback


def unique(wanted: str, taken: Collection[str]) -> str:
    """The id itself, or with the first number that makes it one of its own.

    >>> unique("ice", {"ice", "ice-2"})
    'ice-3'
    """
    if wanted not in taken:
        return wanted
    return next(name for number in range(2, len(taken) + 3) if (name := f"{wanted}-{number}") not in taken)


def read_entry(entry: Mapping[str, Any], *, task_id: str) -> Task:
    """The task that an entry of an item bank's `tasks.json` describes, under an id of ours.

    Criteria without an id get one from their name. A figure is left out: it is not part of the entry.

    Args:
        entry: As in `tasks.json`; `id` is not read.
        task_id: The id of the task.

    Raises:
        InvalidInput: something is missing, too long or contradictory; the message says what to do, for a teacher.
    """
    values = {key: value for key, value in entry.items() if key not in ("id", "stimulus_figure")}
    try:
        size = len(json.dumps(values, ensure_ascii=False))
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"The task holds something that can't be stored ({error}).") from error
    if size > MOST_BYTES:
        raise InvalidInput(f"The task is {size:,} characters long; the limit is {MOST_BYTES:,}. Shorten its texts.")
    for key, name in (("title", "a title"), ("prompt", "the question that students answer")):
        if not str(values.get(key) or "").strip():
            raise InvalidInput(f"Give the task {name}.")
    for key, limit in LONGEST.items():
        found = str(values.get(key) or "")
        if len(found) > limit:
            raise InvalidInput(f"{key}: {len(found):,} characters; the limit is {limit:,}. Shorten it.")
    values |= {key: str(values[key]).strip() for key in ("title", "prompt")}
    values["criteria"] = _criteria(values.get("criteria"))
    try:
        return task_from_json({**values, "id": task_id})
    except InvalidInput as error:
        raise InvalidInput(f"The task can't be used as it is: {error}.") from error


def _criteria(given: Any) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not given:
        raise InvalidInput("Add at least one criterion with its levels.")
    if len(given) > MOST_CRITERIA:
        raise InvalidInput(f"{len(given)} criteria; at most {MOST_CRITERIA} can be scored at once. Merge some of them.")
    criteria: list[dict[str, Any]] = []
    taken: set[str] = set()
    for number, criterion in enumerate(given, 1):
        if not isinstance(criterion, Mapping):
            raise InvalidInput(f"Criterion {number} is malformed; a name and its levels are expected.")
        name = str(criterion.get("name") or criterion.get("id") or "").strip()
        if not name:
            raise InvalidInput(f"Give criterion {number} a name.")
        made = unique(slug(name, f"criterion-{number}"), taken | _RESERVED)
        wanted = str(criterion.get("id") or "").strip() or made
        if wanted in taken:
            raise InvalidInput(f"Two criteria are called “{wanted}”. Give each its own name.")
        if wanted in _RESERVED or len(wanted) > 100:
            raise InvalidInput(f"A criterion can't be called “{wanted}”. Choose another name.")
        taken.add(wanted)
        criteria.append({**criterion, "id": wanted, "name": name[:200], "levels": _levels(criterion, name)})
    for one in taken:
        if f"{one}2" in taken:
            raise InvalidInput(
                f"The criterion “{one}2” is called like the second rating of “{one}”. Choose another name."
            )
    return criteria


def _levels(criterion: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    levels = criterion.get("levels")
    if not isinstance(levels, list) or not 2 <= len(levels) <= MOST_LEVELS:
        raise InvalidInput(f"“{name}” needs two to {MOST_LEVELS} levels.")
    read = []
    for level in levels:
        if not isinstance(level, Mapping):
            raise InvalidInput(f"“{name}”: a level is malformed; its points and what earns them are expected.")
        try:
            points = float(str(level.get("value")))
        except ValueError:
            points = float("nan")
        if not points.is_integer() or not 0 <= points <= 100:
            raise InvalidInput(
                f"“{name}”: a level has {level.get('value')!r} points; whole numbers from 0 to 100 are expected."
            )
        label = str(level.get("label") or "").strip()[:100]
        read.append({"value": int(points), "descriptor": str(level.get("descriptor") or "").strip(), "label": label})
    read.sort(key=lambda level: int(str(level["value"])))
    values = [int(str(level["value"])) for level in read]
    if values != list(range(values[0], values[0] + len(values))):
        raise InvalidInput(
            f"“{name}”: the levels have {', '.join(map(str, values))} points; "
            "they must go up one point at a time, each once."
        )
    return read
