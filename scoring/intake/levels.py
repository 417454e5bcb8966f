"""Levels as people write them in a file, how many there are of each, and what more would help."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from scoring.domain import Criterion, Task

FEWEST = 8
"""Labelled answers, per criterion, below which nothing can be learned and tested."""
FEW_OF_LEVEL = 5
"""Answers at a level below which the model hardly learns it."""
ENOUGH = 64
"""Labelled answers from which more of them help less and less."""
_NUMBER = re.compile(r"(?:(?:level|score|mark|stufe)\s*)?(-?\d{1,3})(?:[.,]0+)?(?:\s*(?:points?|pts?|marks?|p))?")
_YES = ("yes", "y", "true", "correct", "right", "pass", "ja", "sí", "si", "oui")
_NO = ("no", "n", "false", "incorrect", "wrong", "fail", "nein", "non")


def written_levels(criterion: Criterion) -> dict[str, int]:
    """What stands for a level besides its number, case-folded: its label, and yes or no where there are two."""
    written: dict[str, int] = {}
    if len(criterion.levels) == 2:
        low, high = criterion.values
        written |= dict.fromkeys(_NO, low) | dict.fromkeys(_YES, high)
    for level in criterion.levels:
        if level.label:
            written[" ".join(level.label.casefold().split())] = level.value
    # Numbers last: a label that is a number must not stand for another level.
    return written | {str(value): value for value in criterion.values}


def read_level(cell: str, written: Mapping[str, int]) -> int | None:
    """The level that a cell names; `None` for something else.

    >>> from scoring.domain import Level
    >>> two = Criterion("c", "Claim", (Level(0, "", "none"), Level(1, "", "made")))
    >>> [read_level(cell, written_levels(two)) for cell in ("1.0", "1,0", "Made", "yes", "level 0", "2", "0.5")]
    [1, 1, 1, 1, 0, None, None]
    """
    key = " ".join(cell.casefold().split())
    if key in written:
        return written[key]
    number = _NUMBER.fullmatch(key)
    return written.get(str(int(number[1]))) if number else None


def count_levels(task: Task, given: Sequence[Mapping[str, int]]) -> dict[str, dict[int, int]]:
    """How many of these have each level, per criterion, levels that none has included."""
    counts = {criterion.id: dict.fromkeys(criterion.values, 0) for criterion in task.criteria}
    for levels in given:
        for criterion_id, value in levels.items():
            if value in counts.get(criterion_id, {}):
                counts[criterion_id][value] += 1
    return counts


def not_ready(task: Task, counts: Mapping[str, Mapping[int, int]]) -> str:
    """Why a task can't be learned from these, for a teacher; empty when it can."""
    for criterion in task.criteria:
        of_level = counts[criterion.id]
        total, present = sum(of_level.values()), [value for value, n in of_level.items() if n]
        if not total:
            return f"No answer has a level of “{criterion.name}” yet. Add labelled answers first."
        if len(present) < 2:
            return (
                f"All {total} labelled answers have level {present[0]} of “{criterion.name}”. "
                "Add answers with another level: from one level alone nothing can be learned."
            )
        if total < FEWEST:
            return (
                f"{total} labelled answer{'s' if total > 1 else ''} of “{criterion.name}”; at least {FEWEST} are "
                "needed to learn from some and test on the others. About 30 are a sensible start."
            )
        if sorted(of_level.values())[-2] < 2:
            return (
                f"Only one labelled answer of “{criterion.name}” has another level than the rest. "
                "Add at least one more, so that the model can be tested on it."
            )
    return ""


def thinnest(criterion: Criterion, of_level: Mapping[int, int]) -> tuple[int, int]:
    """The level with the fewest answers, and how many; the higher one of equals, as good answers are rarer."""
    value = min(criterion.values, key=lambda value: (of_level[value], -value))
    return value, of_level[value]


def advice(task: Task, counts: Mapping[str, Mapping[int, int]], labelled: int) -> tuple[str, ...]:
    """What more would help, the most useful first."""
    sentences = []
    for criterion in task.criteria:
        of_level = counts[criterion.id]
        if not sum(of_level.values()):
            sentences.append(f"“{criterion.name}” has no levels yet: choose its column, or label answers here.")
            continue
        missing = [value for value in criterion.values if not of_level[value]]
        if missing:
            listed = " and ".join(f"level {value}" for value in missing)
            sentences.append(f"“{criterion.name}”: no answer at {listed}; the model can't learn what it never sees.")
        value, count = thinnest(criterion, {v: n for v, n in of_level.items() if n} | dict.fromkeys(missing, 10**9))
        if count < FEW_OF_LEVEL:
            sentences.append(
                f"“{criterion.name}”: level {value} has only {count} "
                f"{'answer' if count == 1 else 'answers'}; {FEW_OF_LEVEL - count} more at that level would help most."
            )
    if 0 < labelled < ENOUGH:
        sentences.append(
            f"{labelled} labelled answers are a start; with about {ENOUGH} the scores usually get much steadier."
        )
    return tuple(sentences)


def plain(text: str) -> str:
    """The words of a text without case, spacing and outer punctuation, to find copies."""
    return " ".join(text.casefold().split()).strip(" .!?,;:\"'“”‘’")


def contradict(one: Mapping[str, int], other: Mapping[str, int]) -> bool:
    """Whether two ratings give a criterion different levels."""
    return any(one[criterion_id] != other[criterion_id] for criterion_id in one.keys() & other.keys())


class Rated(Protocol):
    """An answer with what somebody gave it."""

    @property
    def text(self) -> str:
        """The words."""

    @property
    def levels(self) -> Mapping[str, int]:
        """Criterion id -> level."""


R = TypeVar("R", bound=Rated)


def without_contradictions(rows: Sequence[R]) -> list[R]:
    """The answers without those that have the same words and another level: nothing can be learned from these."""
    given: dict[str, dict[str, int]] = {}
    wrong = set()
    for row in rows:
        text = plain(row.text)
        if contradict(given.setdefault(text, {}), row.levels):
            wrong.add(text)
        given[text] |= row.levels
    return [row for row in rows if not row.levels or plain(row.text) not in wrong]
