"""The labelled examples of a new task: checked, cleaned of doubles, and dealt into folds."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scoring.domain import Task
from scoring.errors import InvalidInput
from scoring.itembank import LabelledResponse
from scoring.student.text import clean_text
from scoring.training.losses import UNLABELLED

FEWEST = 8
"""Labelled answers below which nothing can be learnt or measured for a criterion."""


@dataclass(frozen=True)
class Examples:
    """Distinct texts with what people gave, and distinct unlabelled ones of the same class."""

    rows: list[LabelledResponse]
    pool: list[LabelledResponse]
    left_out: int = 0  # labelled answers beyond those that are learnt from

    def labels(self, task: Task, criterion_id: str) -> list[int]:
        """(N,) level indices, `UNLABELLED` where nobody rated."""
        lowest = task.criterion(criterion_id).values[0]
        return [row.levels[criterion_id] - lowest if criterion_id in row.levels else UNLABELLED for row in self.rows]


def read_examples(
    task: Task, examples: Sequence[LabelledResponse], unlabelled: Sequence[LabelledResponse] = (), *,
    largest: int = 1500, largest_pool: int = 1000, seed: int = 0,
) -> Examples:  # fmt: skip
    """Check examples and keep each text once.

    Blank answers are left out: they are never scored. Equal texts with equal labels count once; of
    more than `largest` a draw is kept in which every combination of levels has its share.

    Raises:
        InvalidInput: an example of another task, a level outside the rubric, contradictory labels for
            one text, a criterion with too few examples, or with one level only.
    """
    rows: dict[str, LabelledResponse] = {}
    for row in examples:
        _check_row(task, row)
        text = clean_text(row.text).casefold()
        if not text or not row.levels:
            continue
        known = rows.get(text)
        if known is None:
            rows[text] = row
            continue
        for criterion_id, level in row.levels.items():
            if known.levels.get(criterion_id, level) != level:
                raise InvalidInput(
                    f"Responses {known.response_id!r} and {row.response_id!r} have the same text and different levels "
                    f"on {task.criterion(criterion_id).name!r} ({known.levels[criterion_id]} and {level}); decide "
                    "which is right, or leave both out."
                )
        rows[text] = replace(known, levels={**row.levels, **known.levels}, second={**row.second, **known.second})
    for criterion in task.criteria:
        given = Counter(row.levels[criterion.id] for row in rows.values() if criterion.id in row.levels)
        if given.total() < FEWEST:
            raise InvalidInput(
                f"{criterion.name!r} has {given.total()} labelled answers; at least {FEWEST} different ones are needed."
            )
        if len(given) < 2:
            raise InvalidInput(
                f"All {given.total()} examples have level {next(iter(given))} on {criterion.name!r}; answers at two "
                "levels or more are needed to learn the difference."
            )
    pool: dict[str, LabelledResponse] = {}
    for row in unlabelled:
        if row.task_id != task.id:
            raise InvalidInput(f"Response {row.response_id!r} answers task {row.task_id!r}, not {task.id!r}.")
        text = clean_text(row.text).casefold()
        if text and text not in rows:
            pool.setdefault(text, row)
    chosen = list(rows.values())
    if len(chosen) > largest:
        part = deal(chosen, -(-len(chosen) // largest), seed)
        chosen = [row for row, at in zip(chosen, part, strict=True) if at == 0]
    others = list(pool.values())
    if len(others) > largest_pool:
        kept = sorted(random.Random(seed).sample(range(len(others)), largest_pool))
        others = [others[at] for at in kept]
    return Examples(chosen, others, len(rows) - len(chosen))


def deal(rows: Sequence[LabelledResponse], parts: int, seed: int) -> list[int]:
    """(N,) a part, 0 to parts - 1, for each row: rows of like levels are dealt out in turn, like cards."""
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    order.sort(key=lambda at: sorted(rows[at].levels.items()))
    found = [0] * len(rows)
    for turn, at in enumerate(order):
        found[at] = turn % parts
    return found


def draw(rows: Sequence[LabelledResponse], size: int, seed: int) -> list[int]:
    """Ascending positions of a stratified draw of so many rows."""
    order = list(range(len(rows)))
    generator = random.Random(seed)
    generator.shuffle(order)
    order.sort(key=lambda at: sorted(rows[at].levels.items()))
    # Evenly spaced places in the sorted list, from a random start.
    step = len(order) / size
    start = generator.random() * step
    return sorted(order[min(int(start + step * at), len(order) - 1)] for at in range(size))


def _check_row(task: Task, row: LabelledResponse) -> None:
    if row.task_id != task.id:
        raise InvalidInput(
            f"Response {row.response_id!r} answers task {row.task_id!r}, not {task.id!r}; is this another task's file?"
        )
    shape = task.scoring_shape()
    for criterion_id, level in [*row.levels.items(), *row.second.items()]:
        if criterion_id not in shape:
            raise InvalidInput(
                f"Response {row.response_id!r} is rated on {criterion_id!r}, which this task does not have; its "
                f"criteria are {', '.join(shape)}."
            )
        if level not in shape[criterion_id]:
            raise InvalidInput(
                f"Response {row.response_id!r}, {task.criterion(criterion_id).name!r}: level {level} is not one of "
                f"{', '.join(map(str, shape[criterion_id]))}."
            )
