"""What a labelled file comes to, and what it is checked against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scoring.intake.checking import RowProblem


@dataclass(frozen=True)
class CheckedExample:
    """One answer that can be taken. Without `levels` it goes to the pool. `row` is its number in the file."""

    row: int
    response_key: str
    text: str
    levels: Mapping[str, int]
    second: Mapping[str, int]


@dataclass(frozen=True)
class KnownExample:
    """An answer that the task has already."""

    response_key: str
    text: str
    levels: Mapping[str, int]


@dataclass(frozen=True)
class CheckedExamples:
    """All that can be taken from a file, and what is wrong or odd about its rows.

    `distribution` counts the levels of `good` per criterion, every level of the rubric in it.
    `refusal` says why nothing of the file can be taken; it is empty otherwise.
    """

    good: tuple[CheckedExample, ...]
    problems: tuple[RowProblem, ...]
    distribution: Mapping[str, Mapping[int, int]]
    labelled: int
    unlabelled: int
    left_out: int
    advice: tuple[str, ...]
    notes: tuple[str, ...] = ()
    refusal: str = ""

    @property
    def errors(self) -> tuple[RowProblem, ...]:
        """The problems that keep a row from being taken."""
        return tuple(problem for problem in self.problems if problem.severity == "error")
