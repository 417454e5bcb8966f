"""From an item bank to rows for training: which tasks, which split, which labels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from scoring.domain import Task, content_hash, task_to_json
from scoring.errors import InvalidInput
from scoring.itembank import ItemBank, LabelledResponse
from scoring.student.text import clean_text

FOLDS = ("train", "dev", "val")


@dataclass(frozen=True)
class Splits:
    """Rows by purpose: train fits, dev stops and selects, val is only reported."""

    train: list[LabelledResponse]
    dev: list[LabelledResponse]
    val: list[LabelledResponse]

    def counts(self, task_id: str) -> dict[str, int]:
        """Fold -> rows of one task."""
        return {
            fold: sum(row.task_id == task_id for row in rows)
            for fold, rows in zip(FOLDS, (self.train, self.dev, self.val), strict=True)
        }


def choose_tasks(bank: ItemBank, hold_out: Sequence[str] = ()) -> dict[str, Task]:
    """The tasks to train on: those not marked `held_out` in tasks.json and not named in `hold_out`.

    Raises:
        InvalidInput: a held-out id is unknown, or no task is left.
    """
    unknown = [task_id for task_id in hold_out if task_id not in bank.tasks]
    if unknown:
        raise InvalidInput(f"hold-out task {unknown[0]!r} is not in tasks.json; it has {', '.join(bank.tasks)}")
    chosen = {
        task_id: task
        for task_id, task in bank.tasks.items()
        if task_id not in hold_out and not task.extra.get("held_out")
    }
    if not chosen:
        raise InvalidInput("every task is held out; leave at least one to train on")
    return chosen


def split_rows(
    rows: Sequence[LabelledResponse], *, dev_share: float, val_share: float, require_labels: bool = True
) -> Splits:
    """Divide labelled rows into train, dev and val, the same way every time.

    A `fold` of train, dev or val is kept. A task whose rows have no val fold (or no dev fold) gets
    one by a hash of task and cleaned text: equal answers stay together, and a row's place does not
    change when others are added. Rows without any label are left out. `test` counts as val.

    Raises:
        InvalidInput: a fold has another name; the message gives the response.
    """
    splits: dict[str, list[LabelledResponse]] = {fold: [] for fold in FOLDS}
    by_task: dict[str, list[LabelledResponse]] = {}
    for row in rows:
        if row.levels or not require_labels:
            by_task.setdefault(row.task_id, []).append(row)
    for of_task in by_task.values():
        folds = [_named_fold(row) for row in of_task]
        for row, fold in zip(of_task, folds, strict=True):
            place = _unit_hash(row)
            if not fold:
                fold = "val" if "val" not in folds and place >= 1 - val_share else "train"
            if fold == "train" and "dev" not in folds and place < dev_share:
                fold = "dev"
            splits[fold].append(row)
    return Splits(**splits)


def check_labels(tasks: dict[str, Task], train: Sequence[LabelledResponse]) -> None:
    """Refuse a criterion that no training row is labelled for: its head would stay noise.

    Raises:
        InvalidInput: names the first such task and criterion.
    """
    labelled = {(row.task_id, criterion_id) for row in train for criterion_id in row.levels}
    for task in tasks.values():
        for criterion in task.criteria:
            if (task.id, criterion.id) not in labelled:
                raise InvalidInput(
                    f"task {task.id!r}, criterion {criterion.id!r}: no labelled training response; add some to "
                    f"responses.csv or leave the task out with --hold-out {task.id}"
                )


def bank_hash(bank: ItemBank) -> str:
    """SHA-256 of a bank's content: tasks, texts, labels and folds; not of its file's bytes."""
    return content_hash(
        {
            "tasks": [task_to_json(task) for task in bank.tasks.values()],
            "responses": [
                [row.task_id, row.response_id, row.text, row.levels, row.second, row.fold] for row in bank.responses
            ],
        }
    )


def _named_fold(row: LabelledResponse) -> str:
    fold = row.fold.strip().lower()
    fold = "val" if fold == "test" else fold
    if fold and fold not in FOLDS:
        raise InvalidInput(
            f"response {row.response_id!r} of task {row.task_id!r}: fold {row.fold!r} is not train, dev, val or test"
        )
    return fold


def _unit_hash(row: LabelledResponse) -> float:
    """A number in [0, 1) that depends on task and text alone."""
    digest = hashlib.sha256(f"{row.task_id}\x1f{clean_text(row.text).casefold()}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
