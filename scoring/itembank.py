"""The item bank folder: `tasks.json` with `responses.csv`, the one on-disk format for labelled tasks.

Used for training, benchmarks, the sample classroom and export. Needs neither database nor model.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from scoring.domain import Task, task_from_json
from scoring.errors import InvalidFile, InvalidInput


@dataclass(frozen=True)
class LabelledResponse:
    """One row of `responses.csv`. `levels` and `second` map criterion id -> level where rated."""

    task_id: str
    response_id: str
    text: str
    levels: dict[str, int]
    second: dict[str, int] = field(default_factory=dict)
    fold: str = ""
    groups: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ItemBank:
    """Tasks by id, in file order, and their labelled responses."""

    tasks: dict[str, Task]
    responses: list[LabelledResponse]

    def of_task(self, task_id: str) -> list[LabelledResponse]:
        """The responses to one task, in file order."""
        return [response for response in self.responses if response.task_id == task_id]


def read_tasks(folder: Path) -> dict[str, Task]:
    """Read `tasks.json`. Raises `InvalidFile` when it is missing or malformed, naming the entry."""
    path = folder / "tasks.json"
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidFile(f"{path}: not found; an item bank folder has tasks.json and responses.csv") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidFile(f"{path}: not valid UTF-8 JSON ({error})") from error
    if not isinstance(entries, list):
        raise InvalidFile(f"{path}: a list of tasks is expected")
    tasks: dict[str, Task] = {}
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, dict):
            raise InvalidFile(f"{path}, entry {number}: a task is expected, not {entry!r:.60}")
        try:
            task = task_from_json(entry)
        except InvalidInput as error:
            raise InvalidFile(f"{path}, entry {number} ({entry.get('id')!r}): {error}") from error
        clash = {f"{c.id}2" for c in task.criteria} & {c.id for c in task.criteria}
        if clash:
            raise InvalidFile(
                f"{path}, task {task.id!r}: criterion id {min(clash)!r} names the column of a second rating"
            )
        if task.id in tasks:
            raise InvalidFile(f"{path}: task id {task.id!r} appears twice; ids must be unique")
        tasks[task.id] = task
    return tasks


def read_item_bank(folder: Path) -> ItemBank:
    """Read a whole folder and check every row against its task.

    Raises:
        InvalidFile: the first malformed row, named by line number, column, what was found and what is allowed.
    """
    tasks = read_tasks(folder)
    path = folder / "responses.csv"
    if not path.exists():
        raise InvalidFile(f"{path}: not found; an item bank folder has tasks.json and responses.csv")
    criteria_ids = {criterion.id for task in tasks.values() for criterion in task.criteria}
    responses: list[LabelledResponse] = []
    seen: set[tuple[str, str]] = set()
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        columns = _columns(reader, path)
        for required in ("task_id", "response_id", "text"):
            if required not in columns:
                raise InvalidFile(f"{path}: column {required!r} is missing; found {columns}")
        second_columns = {f"{criterion_id}2" for criterion_id in criteria_ids}
        group_columns = [
            column
            for column in columns
            if column not in {"task_id", "response_id", "text", "fold"} | criteria_ids | second_columns
        ]
        for row in _rows(reader, path):
            where = f"{path}, line {reader.line_num}"
            if None in row or None in row.values():
                raise InvalidFile(f"{where}: {len(columns)} cells are expected, one per column")
            if not row["response_id"]:
                raise InvalidFile(f"{where}: response_id is empty")
            task = tasks.get(row["task_id"])
            if task is None:
                raise InvalidFile(f"{where}: task_id {row['task_id']!r} is not in tasks.json")
            key = (task.id, row["response_id"])
            if key in seen:
                raise InvalidFile(f"{where}: response_id {key[1]!r} appears twice in task {task.id!r}")
            seen.add(key)
            responses.append(
                LabelledResponse(
                    task_id=task.id,
                    response_id=row["response_id"],
                    text=row["text"] or "",
                    levels=_levels(task, row, "", where),
                    second=_levels(task, row, "2", where),
                    fold=row.get("fold") or "",
                    groups={column: row[column] or "" for column in group_columns},
                )
            )
    return ItemBank(tasks, responses)


def _columns(reader: csv.DictReader[str], path: Path) -> list[str]:
    try:
        return list(reader.fieldnames or [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidFile(f"{path}, line 1: not a UTF-8 CSV file ({error})") from error


def _rows(reader: csv.DictReader[str], path: Path) -> Iterator[dict[str, str]]:
    try:
        yield from reader
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidFile(f"{path}, line {reader.line_num + 1}: not a UTF-8 CSV file ({error})") from error


def _levels(task: Task, row: dict[str, str], suffix: str, where: str) -> dict[str, int]:
    levels: dict[str, int] = {}
    for criterion in task.criteria:
        found = (row.get(criterion.id + suffix) or "").strip()
        if not found:
            continue
        # Spreadsheets write 2 as 2.0.
        value = next((value for value in criterion.values if found in (f"{value}", f"{value}.0")), None)
        if value is None:
            raise InvalidInput(
                f"{where}, column {criterion.id + suffix!r}: level {found!r} is not one of {list(criterion.values)}"
            )
        levels[criterion.id] = value
    return levels
