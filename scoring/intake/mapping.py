"""Which columns of a file hold the answer, the student and the attempt, and a first guess at it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from scoring.errors import InvalidInput
from scoring.intake.cleaning import answer_text
from scoring.intake.columns import (
    ATTEMPTS,
    FULL_NAMES,
    LEARNER_IDS,
    SURNAMES,
    Convention,
    convention_of,
    first_of,
    is_answer_header,
    is_quiz_question,
    may_hold_answers,
)
from scoring.intake.reading import ClassFile

_SAMPLE_ROWS = 200
_WORD = re.compile(r"[^\W\d_]+")
# Fewer words ("Explain your answer") could be any task's.
_SHORTEST_QUESTION = 5
_ASKED_SHARE = 0.7
_NOT_PROSE = re.compile(
    r"[\d\s.,:/%+-]*|\S+@\S+|https?://\S+|\d{4}-\d\d-\d\d.*|\d{1,2}[/.]\d{1,2}[/.]\d{2,4}.*", re.IGNORECASE
)


@dataclass(frozen=True)
class Mapping:
    """Header names of the columns to read. Without `learner`, students are named by their row."""

    answer: str
    learner: str | None
    learner_name: str | None = None
    attempt: str | None = None

    def check(self, headers: Sequence[str]) -> None:
        """Check the mapping against a file's headers.

        Raises:
            InvalidInput: a column is not in the file, or the answer column is also the student's.
        """
        for field in ("answer", "learner", "learner_name", "attempt"):
            header = getattr(self, field)
            if header is not None and header not in headers:
                listed = ", ".join(f"“{h}”" for h in headers[:20])
                raise InvalidInput(f"The file has no column “{header}”. Choose one of: {listed}.")
        if self.answer in (self.learner, self.learner_name, self.attempt):
            raise InvalidInput(
                f"The column “{self.answer}” is chosen for the answer and for something else. Choose different columns."
            )


def suggest_mapping(class_file: ClassFile) -> Mapping | None:
    """Guess the columns from the header's names and the cells; `None` when no column holds prose.

    The answer is the column with the longest prose among those that can hold answers; columns that a
    platform is known to write (ids, names, feedback, right answers, scores) are left out.
    """
    headers = class_file.headers
    convention = convention_of(headers)
    learner, name = _people(headers, convention)
    attempt = first_of(headers, ATTEMPTS)
    taken = {learner, name, attempt}
    candidates = [h for h in headers if h not in taken and may_hold_answers(h)]
    if convention is Convention.CANVAS_QUIZ:
        candidates = [h for h in headers if is_quiz_question(h)]
    elif convention is Convention.MOODLE_RESPONSES:
        candidates = [h for h in headers if is_answer_header(h)]
    elif len(headers) == 1:
        candidates = list(headers)
        learner = name = attempt = None
    lengths = {header: _prose(class_file, header) for header in candidates}
    answer = max(lengths, key=lambda header: lengths[header], default=None)
    if answer is None or not lengths[answer]:
        return None
    return Mapping(answer, learner, name, attempt)


def asked_column(headers: Sequence[str], prompt: str) -> str | None:
    """The column whose header is the prompt, or most of it, as quiz exports and forms write it.

    >>> asked_column(["id", "1: Why is the sky blue at noon?", "2: Why does ice melt on a plate?"],
    ...              "Why does ice melt on a plate?")
    '2: Why does ice melt on a plate?'
    >>> asked_column(["id", "Answer"], "Why does ice melt on a plate?") is None
    True
    """
    asked = set(_WORD.findall(prompt.lower()))
    shares = {}
    for header in headers:
        words = set(_WORD.findall(header.lower()))
        if len(words) >= _SHORTEST_QUESTION:
            shares[header] = len(words & asked) / len(words)
    best = max(shares, key=lambda header: shares[header], default=None)
    return best if best is not None and shares[best] >= _ASKED_SHARE else None


def _people(headers: Sequence[str], convention: Convention) -> tuple[str | None, str | None]:
    """The columns of the student's id and name."""
    name = first_of(headers, (*FULL_NAMES, *SURNAMES))
    if convention is Convention.CANVAS_QUIZ:
        return first_of(headers, ("id",)), first_of(headers, ("name",))
    if convention is Convention.CANVAS_GRADEBOOK:
        return first_of(headers, ("id",)), first_of(headers, ("student", "lastname"))
    if convention is Convention.MOODLE_ASSIGNMENT:
        return first_of(headers, ("identifier",)), name
    if convention is Convention.MOODLE_RESPONSES:
        ids = ("username", "id number", "email address", *LEARNER_IDS)
        return first_of(headers, ids), first_of(headers, (*SURNAMES, *FULL_NAMES))
    if convention is Convention.BLACKBOARD:
        return first_of(headers, ("username",)), first_of(headers, ("last name",))
    learner = first_of(headers, LEARNER_IDS)
    if learner is not None:
        return learner, name
    # A surname alone would take siblings for one student with two attempts.
    return first_of(headers, FULL_NAMES), None


def _prose(class_file: ClassFile, header: str) -> float:
    """Mean length of the column's texts, spread over the file; 0 when it holds none.

    A name that says "answer" counts double, a text that is the same in every row (the prompt) not at all.
    """
    column = class_file.headers.index(header)
    step = max(1, len(class_file.rows) // _SAMPLE_ROWS)
    texts = [answer_text(row.cells[column]).text for row in class_file.rows[::step]]
    texts = [text for text in texts if text and text != "-"]
    prose = [text for text in texts if not _NOT_PROSE.fullmatch(text)]
    if len(prose) * 2 <= len(texts) or (len(texts) > 3 and len(set(texts)) == 1):
        return 0.0
    named = is_answer_header(header)
    words = sum(len(text.split()) for text in prose) / len(prose)
    if words < 2 and not named and len(class_file.headers) > 1:
        return 0.0
    return sum(map(len, prose)) / len(prose) * (2.0 if named else 1.0)
