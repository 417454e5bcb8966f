"""Grouping responses into batches that waste little on padding, and running a student over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from scoring.student.model import Student, StudentOutput
from scoring.student.tokens import Tokens, pad, padded_length


def plan_batches(lengths: Sequence[int], token_budget: int, max_rows: int = 512) -> list[list[int]]:
    """Group positions by similar length so that rows x padded length stays within a budget.

    Longest first, so that memory peaks at once and not after an hour. The same lengths always give
    the same batches.

    >>> plan_batches([3, 17, 4], token_budget=24)
    [[1], [0, 2]]
    """
    lengths = [padded_length(length) for length in lengths]
    order = sorted(range(len(lengths)), key=lambda position: (-lengths[position], position))
    batches: list[list[int]] = []
    for position in order:
        if batches:
            longest = lengths[batches[-1][0]]
            rows = len(batches[-1]) + 1
            if rows * longest <= token_budget and rows <= max_rows:
                batches[-1].append(position)
                continue
        batches.append([position])
    return batches


@torch.inference_mode()
def run_batches(
    student: Student, rows: Sequence[Tokens], task_index: Sequence[int], *, pad_id: int, token_budget: int,
    device: torch.device, autocast: torch.dtype | None = None,
) -> Iterator[tuple[list[int], StudentOutput]]:  # fmt: skip
    """Yield (positions in `rows`, output) for every batch; the student must be in evaluation mode."""
    for batch in plan_batches([len(row) for row in rows], token_budget):
        input_ids, mask = pad([rows[position] for position in batch], pad_id)
        index = torch.tensor([task_index[position] for position in batch])
        with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
            output = student(input_ids.to(device), mask.to(device), index.to(device))
        yield batch, output
