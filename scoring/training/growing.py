"""Room for one more task in a student, without moving what is there by a bit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from scoring.domain import Task
from scoring.errors import InvalidInput
from scoring.student.encoder import EncoderFiles, load_encoder
from scoring.student.lora import TaskDeltas
from scoring.student.model import Student
from scoring.student.moe import Gate
from scoring.student.task_views import encode_task_views
from scoring.student.tokens import Tokenizer


def grow(student: Student, files: EncoderFiles, tokenizer: Tokenizer, task: Task, *, rank: int = 4) -> Student:
    """A copy of a student that also knows one new task, untrained.

    The task starts from what its text says: the learned part of its embedding and its leanings are
    zero, its delta changes nothing yet, its heads are fresh. Every weight of the student is copied,
    so that its tasks are scored as before.

    Args:
        student: with its shared adapters unmerged.
        files: the encoder that it stands on.
        tokenizer: of that encoder.
        task: its id must be new to the student.
        rank: of the task's own delta, where the student has none yet; later tasks share the first one's.

    Raises:
        InvalidInput: the student knows a task of this id.
    """
    config = student.config
    if task.id in config.tasks:
        raise InvalidInput(f"task {task.id!r} is known to this student already; add it to the version before it")
    adapted = config.task_ids if config.adapted_tasks is None else config.adapted_tasks
    larger = replace(
        config,
        tasks={**config.tasks, task.id: {criterion.id: criterion.values for criterion in task.criteria}},
        adapted_tasks=(*(adapted if config.task_lora_rank else ()), task.id),
        task_lora_rank=config.task_lora_rank or rank,
    )
    encoder = load_encoder(files)
    views = encode_task_views(encoder, tokenizer, [task])
    grown = Student(larger, encoder)
    with torch.no_grad():
        state = grown.state_dict()
        for name, tensor in student.own_state().items():
            # Tables have a row per task, or per delta; the new one comes last.
            state[name][: len(tensor)].copy_(tensor) if tensor.ndim else state[name].copy_(tensor)
        grown.task_embedding.views[-1] = views[0]
        grown.task_embedding.learned.weight[-1] = 0
    return grown.eval()


@contextmanager
def only_newest(student: Student) -> Iterator[list[Tensor]]:
    """Within the block, training moves the newest task's own weights alone; yields them.

    They are its heads, and the last row of its embedding, its leanings and its deltas. The other rows
    of those tables are put back to what they were after the block, whatever an optimizer did to them.
    """
    heads = student.heads[-1]
    tables: list[Tensor] = [student.task_embedding.learned.weight]
    tables += [module.leaning.weight for module in student.moe.modules() if isinstance(module, Gate)]
    for module in student.encoder.modules():
        if isinstance(module, TaskDeltas):
            tables += [module.down, module.up]
    frozen = [parameter for parameter in student.parameters() if parameter.requires_grad]
    before = [table.detach()[:-1].clone() for table in tables]
    student.requires_grad_(False)
    own: list[Tensor] = [*heads.parameters(), *tables]
    hooks = []
    for parameter in own:
        parameter.requires_grad_(True)
    for table in tables:
        hooks.append(table.register_hook(_last_row_only))  # type: ignore[no-untyped-call]
    try:
        yield own
    finally:
        for hook in hooks:
            hook.remove()
        with torch.no_grad():
            for table, rows in zip(tables, before, strict=True):
                table[:-1] = rows
        student.requires_grad_(False)
        for parameter in frozen:
            parameter.requires_grad_(True)


def added_bytes(student: Student) -> int:
    """What the newest task alone takes in bf16: its heads and its rows of the tables."""
    with only_newest(student) as own:
        heads = {id(parameter) for parameter in student.heads[-1].parameters()}
        numbers = sum(p.numel() if id(p) in heads else p[-1].numel() for p in own)
    return 2 * (numbers + student.config.width)  # and the view of its text


def _last_row_only(gradient: Tensor) -> Tensor:
    masked = torch.zeros_like(gradient)
    masked[-1] = gradient[-1]
    return masked
