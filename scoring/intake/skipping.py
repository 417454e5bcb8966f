"""Rows of a file that are no student's answer: blank ones and those that platforms add."""

from __future__ import annotations

from collections.abc import Sequence

from scoring.intake.columns import Convention, header_key

_COLUMN_SETTINGS = frozenset({"muted", "manual posting"})
_TEST_STUDENT = frozenset({"test student", "student, test"})
_AVERAGES = frozenset({"overall average", "gesamtdurchschnitt"})


def skip_reason(cells: Sequence[str], headers: Sequence[str], convention: Convention) -> str | None:
    """Why a row is no answer, for a note; `None` when it may be one.

    Args:
        cells: the row, one cell per header.
        headers: the file's column names.
        convention: the platform that the file comes from; its own rows are known only there.
    """
    filled = [cell.strip() for cell in cells if cell and not cell.isspace()]
    if not filled:
        return "blank"
    if len(filled) > 1 and filled[0] == headers[0] and _repeats(cells, headers):
        return "the column names again"
    first = filled[0].casefold()
    if convention is Convention.CANVAS_GRADEBOOK:
        if first == "points possible":
            return "Canvas's “Points Possible”, not a student"
        if all(cell.casefold() in _COLUMN_SETTINGS for cell in filled):
            return "Canvas's settings for its columns, not a student"
    if convention in (Convention.CANVAS_GRADEBOOK, Convention.CANVAS_QUIZ):
        keys = [header_key(header) for header in headers]
        name = next((i for i, key in enumerate(keys) if key in ("student", "name")), None)
        if name is not None and cells[name].strip().casefold() in _TEST_STUDENT:
            return "Canvas's “Test Student”, not a student of the class"
    if convention is Convention.MOODLE_RESPONSES and first in _AVERAGES:
        return "Moodle's average, not a student"
    return None


def _repeats(cells: Sequence[str], headers: Sequence[str]) -> bool:
    return all(" ".join(cell.split()) == header for cell, header in zip(cells, headers, strict=True))
