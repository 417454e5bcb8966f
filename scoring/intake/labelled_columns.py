"""Which columns of a file hold an example's text and its levels, and a first guess at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scoring.domain import Task
from scoring.errors import InvalidInput
from scoring.intake.columns import LEARNER_IDS, first_of, header_key
from scoring.intake.mapping import suggest_mapping
from scoring.intake.reading import ClassFile

# Headers as `header_key` writes them.
TASK_COLUMNS = ("task id", "task", "question id", "essayset", "essay set")
TEXTS = ("text", "response", "answer", "essaytext", "student answer", "student response")
RESPONSE_IDS = ("response id", "answer id", "id")
MARKS = ("mark", "marks", "score", "points", "grade", "level", "score1", "label", "human score")
SECOND_MARKS = ("mark2", "score2", "second score", "second mark", "second rating", "score 2", "mark 2")


@dataclass(frozen=True)
class ExampleColumns:
    """Header names by what they hold. `levels` and `second` map criterion id -> column of the (second) rating."""

    text: str
    response_id: str | None = None
    levels: Mapping[str, str] = field(default_factory=dict)
    second: Mapping[str, str] = field(default_factory=dict)

    def check(self, headers: Sequence[str], task: Task) -> None:
        """Check the columns against a file and a task.

        Raises:
            InvalidInput: a column is not in the file or chosen twice, or a criterion is not the task's.
        """
        known = {criterion.id for criterion in task.criteria}
        for criterion_id in (*self.levels, *self.second):
            if criterion_id not in known:
                raise InvalidInput(f"The task has no criterion “{criterion_id}”. Choose the columns again.")
        chosen = [self.text, *self.levels.values(), *self.second.values()]
        if self.response_id is not None:
            chosen.append(self.response_id)
        for header in chosen:
            if header not in headers:
                listed = ", ".join(f"“{h}”" for h in headers[:20])
                raise InvalidInput(f"The file has no column “{header}”. Choose one of: {listed}.")
        for header in chosen:
            if chosen.count(header) > 1:
                raise InvalidInput(f"The column “{header}” is chosen twice. Choose different columns.")


def suggest_columns(class_file: ClassFile, task: Task) -> ExampleColumns | None:
    """Guess the columns from the header; `None` when no column holds prose.

    A criterion's column is headed by its id or name; with one criterion also by “mark”, “score” and the like,
    as in Moodle's Pattern Match files (`mark,response`).
    """
    headers = class_file.headers
    by_key = {header_key(header): header for header in reversed(headers)}
    text = first_of(headers, TEXTS)
    if text is None:
        suggested = suggest_mapping(class_file)
        if suggested is None:
            return None
        text = suggested.answer
    levels: dict[str, str] = {}
    second: dict[str, str] = {}
    for criterion in task.criteria:
        for name in (criterion.id, criterion.name):
            key = header_key(name)
            if key in by_key and by_key[key] != text:
                levels.setdefault(criterion.id, by_key[key])
            for other in (f"{key}2", f"{key} 2", f"second {key}"):
                if other in by_key:
                    second.setdefault(criterion.id, by_key[other])
    if len(task.criteria) == 1:
        only = task.criteria[0].id
        for names, found in ((MARKS, levels), (SECOND_MARKS, second)):
            header = first_of(headers, names)
            if header is not None and header != text:
                found.setdefault(only, header)
    taken = {text, *levels.values(), *second.values()}
    response_id = first_of(headers, (*RESPONSE_IDS, *LEARNER_IDS))
    return ExampleColumns(text, None if response_id in taken else response_id, levels, second)
