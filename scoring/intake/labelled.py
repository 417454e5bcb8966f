"""From a file's rows to labelled answers that a task can be learned from, with every doubt named by row and column."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial

from scoring.domain import Criterion, Task, content_hash
from scoring.intake.checking import TEXT_LIMIT, RowProblem, Severity
from scoring.intake.cleaning import answer_text, cut, is_error_value, one_line, shorten
from scoring.intake.columns import first_of
from scoring.intake.labelled_columns import TASK_COLUMNS, ExampleColumns, suggest_columns
from scoring.intake.labelled_copies import point_out_near, without_copies
from scoring.intake.labelled_results import CheckedExample, CheckedExamples, KnownExample
from scoring.intake.levels import advice, count_levels, plain, read_level, written_levels
from scoring.intake.reading import ClassFile, FileRow

__all__ = ["CheckedExample", "CheckedExamples", "ExampleColumns", "KnownExample", "check_examples", "suggest_columns"]

OF_ANOTHER_TASK = 0.5  # share of texts known from another task from which a file is that task's
LONGEST_ID = 100


def check_examples(
    class_file: ClassFile,
    columns: ExampleColumns,
    task: Task,
    *,
    known: Sequence[KnownExample] = (),
    other_texts: Sequence[tuple[str, str]] = (),
    other_keys: Sequence[str] = (),
) -> CheckedExamples:
    """Check every row.

    Args:
        class_file: The file as read.
        columns: Which columns to take.
        task: The task that the answers are to.
        known: What the task has already, so that the file is checked against it as well.
        other_texts: (title, text) of answers to other tasks: a file that is mostly those is refused.
        other_keys: Ids of other tasks: a file whose task column names only those is refused.

    Raises:
        InvalidInput: the columns don't fit the file or the task.
    """
    columns.check(class_file.headers, task)
    checker = _Checker(class_file, columns, task)
    rows, refusal = checker.rows_of_task(other_keys)
    if not refusal:
        for row in rows:
            checker.take(row)
        refusal = checker.of_another_task(other_texts)
    if refusal:
        return CheckedExamples(
            (), (), count_levels(task, ()), 0, 0, len(class_file.rows), (), class_file.notes, refusal
        )
    return checker.result(known)


class _Checker:
    """Goes through the rows once, then looks at what says the same."""

    def __init__(self, class_file: ClassFile, columns: ExampleColumns, task: Task) -> None:
        self._file, self._columns, self._task = class_file, columns, task
        self._column = {header: index for index, header in enumerate(class_file.headers)}
        self._allowed = {criterion.id: written_levels(criterion) for criterion in task.criteria}
        self._good: list[CheckedExample] = []
        self._problems: list[RowProblem] = []
        self._notes = list(class_file.notes)
        self._by_key: dict[str, CheckedExample] = {}
        self._seen = 0

    def rows_of_task(self, other_keys: Sequence[str]) -> tuple[list[FileRow], str]:
        """The rows that are this task's by the file's own task column, and why there are none."""
        rows = list(self._file.rows)
        header = first_of(self._file.headers, TASK_COLUMNS)
        if header is None or header in (self._columns.text, self._columns.response_id):
            return rows, ""
        at = self._column[header]
        named = [one_line(row.cells[at]) for row in rows]
        if self._task.id in named:
            ours = [row for row, name in zip(rows, named, strict=True) if name in ("", self._task.id)]
            if len(ours) < len(rows):
                self._notes.append(f"{len(rows) - len(ours):,} rows of other tasks in this file were left out.")
            return ours, ""
        others = sorted({name for name in named if name})
        known = sorted(set(others) & set(other_keys))
        if known:
            return [], (
                f"The column “{header}” says that these answers are to another task (“{known[0]}”), "
                f"not to “{self._task.title}”. Choose the file of this task; nothing was saved."
            )
        if len(others) > 1:
            return [], (
                f"The file holds answers to {len(others)} tasks (column “{header}”: {', '.join(others[:5])}). "
                "Keep the rows of this task only; nothing was saved."
            )
        return rows, ""

    def take(self, row: FileRow) -> None:
        """Check one row and keep it with its problems."""
        if not any(cell and not cell.isspace() for cell in row.cells):
            return
        self._seen += 1
        before = len(self._problems)
        if row.extra:
            self._problem(
                row, self._file.headers[-1], row.cells[-1],
                "more cells than there are columns, so the answer may be cut; put quotation marks around it", "error",
            )  # fmt: skip
        text = self._text(row)
        levels = self._levels(row, self._columns.levels)
        second = self._levels(row, self._columns.second)
        key = self._key(row, text)
        if any(problem.severity == "error" for problem in self._problems[before:]):
            return
        if second and not levels:
            # The only rating there is counts as the first.
            levels, second = second, {}
        example = CheckedExample(row.number, key, text, levels, second)
        same = self._by_key.get(key)
        if same is not None and self._columns.response_id is not None:
            if plain(same.text) == plain(text) and same.levels == levels:
                self._problem(row, self._columns.response_id, key, f"the same as row {same.row}; left out", "note")
            else:
                self._problem(
                    row, self._columns.response_id, key,
                    f"row {same.row} has the same id and another answer or level; give each answer its own id", "error",
                )  # fmt: skip
            return
        self._by_key[key] = example
        self._good.append(example)

    def of_another_task(self, other_texts: Sequence[tuple[str, str]]) -> str:
        """Why the file is another task's, if most of its texts are known from there."""
        ours = {plain(example.text) for example in self._good if len(example.text.split()) > 3}
        if len(ours) < 3:
            return ""
        found: dict[str, set[str]] = defaultdict(set)
        for title, text in other_texts:
            if (key := plain(text)) in ours:
                found[title].add(key)
        title = max(found, key=lambda title: len(found[title]), default="")
        if title and len(found[title]) >= OF_ANOTHER_TASK * len(ours):
            return (
                f"{len(found[title]):,} of these {len(ours):,} answers are answers to “{title}”. "
                f"Choose the file of “{self._task.title}”; nothing was saved."
            )
        return ""

    def result(self, known: Sequence[KnownExample]) -> CheckedExamples:
        """Everything found, once answers that say the same were compared with each other and with `known`."""
        tell = partial(self._tell, self._columns.text)
        self._good = without_copies(self._good, known, tell)
        near = point_out_near(self._good, known, tell)
        if near:
            self._notes.append(
                f"{near:,} {'answer says' if near == 1 else 'answers say'} nearly the same as another one; "
                "the model learns less from these than from different ones."
            )
        wrong = {problem.number for problem in self._problems if problem.severity == "error"}
        good = tuple(example for example in self._good if example.row not in wrong)
        labelled = sum(bool(example.levels) for example in good)
        counts = count_levels(self._task, [example.levels for example in good])
        return CheckedExamples(
            good,
            tuple(sorted(self._problems, key=lambda problem: problem.number)),
            counts,
            labelled,
            len(good) - labelled,
            self._seen - len(good),
            advice(self._task, counts, labelled),
            tuple(self._notes),
        )

    def _text(self, row: FileRow) -> str:
        header = self._columns.text
        cell = row.cells[self._column[header]]
        text = answer_text(cell).text
        if not text or text == "-":
            self._problem(row, header, cell, "blank; an example needs the student's words, so it is left out", "error")
        elif is_error_value(text):
            self._problem(row, header, cell, "the spreadsheet shows an error in place of the answer", "error")
        elif len(text) > TEXT_LIMIT:
            self._problem(row, header, cell, f"{len(text):,} characters; cut to {TEXT_LIMIT:,}", "warning")
        return cut(text, TEXT_LIMIT)

    def _levels(self, row: FileRow, columns: Mapping[str, str]) -> dict[str, int]:
        levels = {}
        for criterion in self._task.criteria:
            header = columns.get(criterion.id)
            if header is None:
                continue
            cell = one_line(row.cells[self._column[header]])
            if not cell:
                continue
            value = read_level(cell, self._allowed[criterion.id])
            if value is None:
                self._problem(row, header, cell, f"not a level of “{criterion.name}”: {_allowed(criterion)}", "error")
            else:
                levels[criterion.id] = value
        return levels

    def _key(self, row: FileRow, text: str) -> str:
        header = self._columns.response_id
        key = one_line(row.cells[self._column[header]]) if header is not None else ""
        if len(key) > LONGEST_ID:
            self._problem(row, header or "", key, f"longer than {LONGEST_ID} characters; shorten the id", "error")
        # Without an id the text is its own, so that the same file again adds nothing.
        return key or text_key(text)

    def _tell(self, column: str, example: CheckedExample, message: str, severity: Severity) -> None:
        self._problems.append(RowProblem(example.row, column, shorten(example.text), message, severity))

    def _problem(self, row: FileRow, column: str, found: str, message: str, severity: Severity) -> None:
        self._problems.append(RowProblem(row.number, column, shorten(found), message, severity))


def text_key(text: str) -> str:
    """The id of an answer that came without one."""
    return f"text-{content_hash(plain(text))[:16]}"


def _allowed(criterion: Criterion) -> str:
    values = ", ".join(map(str, criterion.values))
    labels = ", ".join(f"“{level.label}”" for level in criterion.levels if level.label)
    return f"write one of {values}" + (f" or {labels}" if labels else "")
