"""From a file's rows to answers that can be scored, with every doubt named by row and column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from scoring.intake.cleaning import (
    answer_text,
    cut,
    formula_like,
    is_error_value,
    one_line,
    other_script,
    shorten,
)
from scoring.intake.columns import convention_of, first_name_beside
from scoring.intake.mapping import Mapping, suggest_mapping
from scoring.intake.reading import ClassFile, FileRow
from scoring.intake.skipping import skip_reason

__all__ = ["CheckedFile", "CheckedRow", "Mapping", "RowProblem", "check_rows", "suggest_mapping"]

TEXT_LIMIT = 10_000

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class CheckedRow:
    """One answer. `number` is the row in the file, `attempt` counts from 1, a blank one has no text."""

    number: int
    learner: str
    text: str
    attempt: int
    truncated: bool
    is_blank: bool
    learner_name: str = ""


@dataclass(frozen=True)
class RowProblem:
    """Something to know about one row. `field` is the column's name, `found` at most 60 characters of it."""

    number: int
    field: str
    found: str
    message: str
    severity: Severity


@dataclass(frozen=True)
class CheckedFile:
    """All answers of a file in its order, what is wrong or odd about them, and what was skipped."""

    rows: tuple[CheckedRow, ...]
    problems: tuple[RowProblem, ...]
    notes: tuple[str, ...]

    @cached_property
    def good(self) -> tuple[CheckedRow, ...]:
        """The rows that can be taken: those without an error."""
        wrong = {problem.number for problem in self.problems if problem.severity == "error"}
        return tuple(row for row in self.rows if row.number not in wrong)

    @cached_property
    def errors(self) -> tuple[RowProblem, ...]:
        """The problems that keep a row from being taken."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


def check_rows(class_file: ClassFile, mapping: Mapping, *, text_limit: int = TEXT_LIMIT) -> CheckedFile:
    """Check every row; none is dropped but blank rows and a platform's own rows, which a note names.

    Args:
        class_file: the file as read.
        mapping: which columns to take.
        text_limit: the most characters of an answer kept; the original file keeps everything.

    Raises:
        InvalidInput: the mapping names a column that the file does not have.
    """
    mapping.check(class_file.headers)
    checker = _Checker(class_file, mapping, text_limit)
    for row in class_file.rows:
        checker.take(row)
    return checker.result()


class _Checker:
    """Goes through the rows once and remembers which students and answers it has seen."""

    def __init__(self, class_file: ClassFile, mapping: Mapping, text_limit: int) -> None:
        headers = class_file.headers
        self._file, self._mapping, self._limit = class_file, mapping, text_limit
        self._convention = convention_of(headers)
        self._column = {header: index for index, header in enumerate(headers)}
        self._first_name = first_name_beside(headers, mapping.learner_name)
        self._rows: list[CheckedRow] = []
        self._problems: list[RowProblem] = []
        self._skipped: dict[str, list[int]] = {}
        self._texts: dict[tuple[str, str], CheckedRow] = {}
        self._attempts: dict[str, dict[int, CheckedRow]] = {}

    def take(self, row: FileRow) -> None:
        """Check one row and add it with its problems."""
        reason = skip_reason(row.cells, self._file.headers, self._convention)
        if reason:
            self._skipped.setdefault(reason, []).append(row.number)
            return
        before = len(self._problems)
        if row.extra:
            s = "s" if row.extra > 1 else ""
            message = (
                f"{row.extra} cell{s} more than there are columns, so the answer may be cut or in the wrong "
                "column; put quotation marks around the answer, or save the file as XLSX"
            )
            self._problem(row, self._file.headers[-1], row.cells[-1], message, "error")
        learner = self._learner(row)
        answer, cell = self._mapping.answer, self._cell(row, self._mapping.answer)
        full = self._answer(row, answer, cell)
        text = cut(full, self._limit)
        if len(text) < len(full):
            message = (
                f"{len(full):,} characters; the last {len(full) - len(text):,} were left out for scoring "
                f"(the limit is {self._limit:,}). The original file keeps everything"
            )
            self._problem(row, answer, cell, message, "warning")
        usable = not any(problem.severity == "error" for problem in self._problems[before:])
        stated = self._stated_attempt(row) if usable else None
        attempt = self._place(row, learner, full, stated) if usable and self._mapping.learner else stated or 1
        checked = CheckedRow(
            row.number, learner, text, attempt, len(text) < len(full), not text, self._learner_name(row)
        )
        self._rows.append(checked)
        if not any(problem.severity == "error" for problem in self._problems[before:]):
            self._texts.setdefault((learner.casefold(), full), checked)
            self._attempts.setdefault(learner.casefold(), {})[attempt] = checked

    def result(self) -> CheckedFile:
        """Everything found so far."""
        notes = [*self._file.notes, *(f"{_rows(n)} skipped: {why}." for why, n in self._skipped.items())]
        if self._rows and all(row.is_blank for row in self._rows):
            notes.append(
                f"Every answer in the column “{self._mapping.answer}” is blank. Choose another column if that is wrong."
            )
        return CheckedFile(tuple(self._rows), tuple(self._problems), tuple(notes))

    def _cell(self, row: FileRow, header: str | None) -> str:
        return "" if header is None else row.cells[self._column[header]]

    def _problem(self, row: FileRow, field: str, found: str, message: str, severity: Severity) -> None:
        self._problems.append(RowProblem(row.number, field, shorten(found), message, severity))

    def _learner(self, row: FileRow) -> str:
        header = self._mapping.learner
        if header is None:
            return f"Row {row.number}"
        learner = one_line(self._cell(row, header))
        if not learner:
            message = "no student; fill in or leave the student column unmapped, then rows are named by number"
            self._problem(row, header, "", message, "error")
        elif formula_like(learner):
            self._problem(row, header, learner, _FORMULA_NOTE, "note")
        return learner

    def _learner_name(self, row: FileRow) -> str:
        name = one_line(self._cell(row, self._mapping.learner_name))
        return f"{one_line(self._cell(row, self._first_name))} {name}".strip() if self._first_name else name

    def _answer(self, row: FileRow, header: str, cell: str) -> str:
        """The cleaned answer in full; a lone dash, Moodle's mark for none, is blank."""
        answer = answer_text(cell)
        text = "" if answer.text == "-" else answer.text
        if answer.from_html:
            message = "HTML formatting (tags) taken off, the words kept"
            if answer.pictures:
                message += "; it holds a picture, which can't be scored, so look at it yourself"
            self._problem(row, header, cell, message, "warning" if answer.pictures else "note")
        if not text:
            message = "blank; will not be scored by the machine. Score it yourself or leave it"
            self._problem(row, header, cell, message, "warning")
        elif is_error_value(text):
            message = (
                "the spreadsheet shows an error in place of what the student wrote; "
                "look the answer up and type it in, or leave the row out"
            )
            self._problem(row, header, cell, message, "warning")
        elif formula_like(text):
            self._problem(row, header, cell, _FORMULA_NOTE, "note")
        script = other_script(text)
        if script:
            message = (
                f"written mostly in {script} letters; the model was trained on English, "
                "so score this answer yourself or check its score with care"
            )
            self._problem(row, header, cell, message, "warning")
        return text

    def _stated_attempt(self, row: FileRow) -> int | None:
        header = self._mapping.attempt
        if header is None:
            return None
        cell = one_line(self._cell(row, header))
        digits = cell.removesuffix(".0")
        if digits.isascii() and digits.isdigit() and 1 <= len(digits) <= 4 and int(digits) >= 1:
            return int(digits)
        message = "not an attempt number (1, 2, …), so the file's order counts; correct the cell if that is wrong"
        self._problem(row, header, cell, message, "warning")
        return None

    def _place(self, row: FileRow, learner: str, text: str, stated: int | None) -> int:
        """The row's attempt among its student's; a repeated answer is an error.

        With attempt numbers in the file, the same words handed in twice are two attempts.
        """
        taken = self._attempts.get(learner.casefold(), {})
        if stated is not None and stated not in taken:
            return stated
        header = self._mapping.learner or ""
        same = self._texts.get((learner.casefold(), text))
        if same is not None:
            message = f"same student and answer as row {same.number}; would be counted twice, so leave one out"
            self._problem(row, header, learner, message, "error")
            return same.attempt
        if not taken:
            return 1
        attempt = max(taken) + 1
        earlier = taken[stated] if stated is not None else taken[attempt - 1]
        message = (
            f"the same student as in row {earlier.number}; taken as attempt {attempt}. "
            "If they are two students, give them different ids"
        )
        self._problem(row, header, learner, message, "warning")
        return attempt


_FORMULA_NOTE = "kept as text, never run; neutralised on export"


def _rows(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:5])) + (f" and {len(numbers) - 5:,} more" if len(numbers) > 5 else "")
    return f"Row{'s' if len(numbers) > 1 else ''} {shown}"
