"""Room for one more task in a student, without moving what is there by a bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from scoring.domain import Task
from scoring.errors import InvalidInput
from scoring.student.config import StudentConfig
from scoring.student.encoder import EncoderFiles, load_encoder
from scoring.student.lora import TaskDeltas
from scoring.student.model import Student
from scoring.student.moe import Gate
from scoring.student.task_views import encode_task_views
from scoring.student.tokens import Tokenizer
from scoring.student.wording import spelling_of

HEAD = "head."
"""What the heads' tensors are called among a task's own."""
WORDING = "wording."
"""Likewise those of what the wording says."""


def grow(
    student: Student, files: EncoderFiles, tokenizer: Tokenizer, task: Task, *, rank: int = 4, alpha: float = 16.0,
    modules: tuple[str, ...] = ("query", "value"), renew: bool = False,
) -> Student:  # fmt: skip
    """A copy of a student that also knows one new task, untrained.

    The task starts from what its text says: the learned part of its embedding and its leanings are
    zero, its delta changes nothing yet, its heads are fresh. Every weight of the student is copied,
    so that its tasks are scored as before.

    Args:
        student: with its shared adapters unmerged.
        files: the encoder that it stands on.
        tokenizer: of that encoder.
        task: its id must be new to the student, unless `renew`.
        rank: of the task's own delta, where the student has none yet; later tasks share the first one's.
        alpha: likewise; the delta is scaled by alpha / rank.
        modules: likewise; last names of the layers that have a delta.
        renew: a task of this id is left out first, so that it is learnt anew.

    Raises:
        InvalidInput: the student knows a task of this id.
    """
    config = student.config
    if task.id in config.tasks and not renew:
        raise InvalidInput(f"task {task.id!r} is known to this student already; add it to the version before it")
    larger = _with_task(
        config, task.id, {criterion.id: criterion.values for criterion in task.criteria}, rank, alpha, modules
    )
    grown = _assemble(larger, files, student, {other: student for other in larger.tasks if other != task.id})
    encoder = load_encoder(files)
    with torch.no_grad():
        rows = task_rows(grown, task.id)
        rows["views"].copy_(encode_task_views(encoder, tokenizer, [task])[0])
        rows["learned"].zero_()
    return grown.eval()


def graft(onto: Student, grown: Student, task_id: str, files: EncoderFiles) -> Student:
    """A copy of one student with a task that another version of it has learnt.

    Both stand on the same encoder, shared delta, pooling and experts, as versions do that grew from the
    same one; so the task is scored as where it was learnt, and the other tasks as before. A task of
    that id in `onto` is replaced.

    Args:
        onto: the student that gets the task; its adapters unmerged.
        grown: the student that knows it; likewise.
        task_id: the task.
        files: the encoder of both.

    Raises:
        InvalidInput: `grown` doesn't know the task, or the two differ in what all tasks share.
    """
    if task_id not in grown.config.tasks:
        raise InvalidInput(f"task {task_id!r}: the version to take it from does not know it")
    learnt, place = grown.config, grown.config.task_ids.index(task_id)
    if learnt.delta_slots[place] < 0:
        raise InvalidInput(f"task {task_id!r}: it was not added to that version on its own; add it from its examples")
    config = _with_task(
        onto.config, task_id, learnt.tasks[task_id], learnt.task_lora_rank, learnt.task_lora_alpha,
        learnt.task_lora_modules,
    )  # fmt: skip
    if task_id in learnt.example_tasks:
        config = replace(config, example_tasks={**config.example_tasks, task_id: learnt.example_tasks[task_id]})
    if task_id in learnt.worded_tasks:
        config = replace(config, worded_tasks=(*config.worded_tasks, task_id))
    ours = (config.task_lora_rank, config.task_lora_alpha, config.task_lora_modules)
    theirs = (learnt.task_lora_rank, learnt.task_lora_alpha, learnt.task_lora_modules)
    mine, other = shared_state(onto), shared_state(grown)
    if ours != theirs or mine.keys() != other.keys() or any(not torch.equal(mine[name], other[name]) for name in mine):
        raise InvalidInput(
            f"task {task_id!r}: it was added to another student than this one; add it to this one from its examples"
        )
    sources = {name: onto for name in config.tasks if name != task_id} | {task_id: grown}
    return _assemble(config, files, onto, sources).eval()


def with_example_heads(student: Student, task_id: str, examples: int, files: EncoderFiles) -> Student:
    """A copy in which a task has heads that compare with so many labelled answers, still without any.

    Args:
        student: its adapters unmerged.
        task_id: one of its tasks.
        examples: how many.
        files: the encoder that it stands on.
    """
    config = replace(student.config, example_tasks={**student.config.example_tasks, task_id: examples})
    return _assemble(config, files, student, dict.fromkeys(config.tasks, student)).eval()


def with_wording_heads(student: Student, files: EncoderFiles) -> Student:
    """A copy in which every task's trained heads are mixed with what the wording says: still the lowest level.

    Args:
        student: its adapters unmerged; without example heads.
        files: the encoder that it stands on.
    """
    config = replace(student.config, worded_tasks=student.config.task_ids)
    return _assemble(config, files, student, dict.fromkeys(config.tasks, student)).eval()


def task_rows(student: Student, task_id: str) -> dict[str, Tensor]:
    """What belongs to one task alone: its heads and its rows of the tables, as views that can be written to.

    Returns:
        name -> tensor: `views` (D,), `learned` (W,), `leaning.N` (E,) per MoE layer, `head.…`, `wording.…`, and
        `delta.LAYER.down` (r, in) and `.up` (out, r) where the task has a delta.
    """
    index = student.config.task_ids.index(task_id)
    slot = student.config.delta_slots[index]
    rows = {"views": student.task_embedding.views[index], "learned": student.task_embedding.learned.weight.data[index]}
    gates = [module for module in student.moe.modules() if isinstance(module, Gate)]
    rows |= {f"leaning.{number}": gate.leaning.weight.data[index] for number, gate in enumerate(gates)}
    rows |= {f"{HEAD}{name}": tensor for name, tensor in student.heads[index].state_dict().items()}
    rows |= {f"{WORDING}{name}": tensor for name, tensor in student.wording[index].state_dict().items()}
    for name, module in student.encoder.named_modules():
        if isinstance(module, TaskDeltas) and slot >= 0:
            rows |= {f"delta.{name}.down": module.down.data[slot], f"delta.{name}.up": module.up.data[slot]}
    return rows


def shared_state(student: Student) -> dict[str, Tensor]:
    """What all tasks share, by name: everything of the student's own that `task_rows` doesn't give."""
    return {name: tensor for name, tensor in student.own_state().items() if not _of_tasks(name)}


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
    return 2 * sum(tensor.numel() for tensor in task_rows(student, student.config.task_ids[-1]).values())


def _with_task(
    config: StudentConfig, task_id: str, criteria: Mapping[str, tuple[int, ...]], rank: int, alpha: float,
    modules: tuple[str, ...],
) -> StudentConfig:  # fmt: skip
    """The shape with a task at its end, in the place of one of that id."""
    others = {name: shape for name, shape in config.tasks.items() if name != task_id}
    adapted = config.task_ids if config.adapted_tasks is None else config.adapted_tasks
    kept = tuple(name for name in adapted if name in others) if config.task_lora_rank else ()
    larger = replace(
        config,
        tasks={**others, task_id: criteria},
        adapted_tasks=(*kept, task_id),
        example_tasks={name: count for name, count in config.example_tasks.items() if name != task_id},
        worded_tasks=tuple(name for name in config.worded_tasks if name != task_id),
    )
    if kept:
        return larger
    return replace(larger, task_lora_rank=rank, task_lora_alpha=alpha, task_lora_modules=modules)


def _assemble(
    config: StudentConfig, files: EncoderFiles, shared: Student, sources: Mapping[str, Student]
) -> Student:  # fmt: skip
    """A student of this shape: what is shared from one, each task's own from the student named for it."""
    made = Student(config, load_encoder(files), spelling_of(files) if config.reads_wording else None)
    with torch.no_grad():
        state = made.state_dict()
        for name, tensor in shared_state(shared).items():
            state[name].copy_(tensor)
        for task_id, source in sources.items():
            target = task_rows(made, task_id)
            for name, tensor in task_rows(source, task_id).items():
                if name in target:  # heads of another kind start empty
                    target[name].copy_(tensor)
    return made


def _of_tasks(name: str) -> bool:
    parts = name.split(".")
    return (
        parts[0] in ("heads", "wording") or "task_delta" in parts or "leaning" in parts
        or name in ("task_embedding.views", "task_embedding.learned.weight")
    )  # fmt: skip


def _last_row_only(gradient: Tensor) -> Tensor:
    masked = torch.zeros_like(gradient)
    masked[-1] = gradient[-1]
    return masked
