"""The shape of a student: everything needed to build its modules before weights are loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from scoring.errors import InvalidInput

HEAD_KINDS = ("softmax", "cumulative")

Shape = Mapping[str, Mapping[str, tuple[int, ...]]]
"""Task id -> criterion id -> score points, ascending. The order of tasks is their index in the model."""


@dataclass(frozen=True)
class StudentConfig:
    """Architecture of one student version.

    Raises `InvalidInput` on construction when a value is out of range; the message names the field.
    """

    encoder: str  # name of the encoder, for people; the hash decides
    encoder_sha256: str  # of the encoder's model.safetensors, 64 hex digits
    width: int  # D, width of the encoder's hidden states
    tasks: Shape = field(hash=False)
    experts: int = 4  # E, experts in each MoE layer
    moe_layers: int = 2  # gated MoE layers; 0 leaves them out
    expert_hidden: int = 256  # hidden units of one expert
    gate_hidden: int = 128  # hidden units of a gate
    task_width: int = 64  # width of the task embedding
    pooling_heads: int = 4  # heads of the task-query attention pooling; divides width
    top_k: int | None = None  # experts used per response; None uses all, weighted
    dropout: float = 0.1  # share of units dropped in experts and before heads, 0 to <1
    head: str = "softmax"  # "softmax", or "cumulative" (rank-consistent thresholds)
    text_informed: bool = True  # the task embedding also reads prompt, rubric and reference answers
    max_tokens: int = 512  # longer responses are cut to this many tokens
    lora_rank: int = 16  # rank of the encoder's low-rank deltas; 0 leaves the encoder frozen
    lora_alpha: float = 32.0  # the delta is scaled by alpha / rank
    lora_modules: tuple[str, ...] = ("query", "key", "value", "dense")  # last names of adapted layers
    task_lora_rank: int = 0  # rank of each task's own deltas, besides the shared ones; 0 has none
    task_lora_alpha: float = 16.0  # likewise scaled by alpha / rank
    task_lora_modules: tuple[str, ...] = ("query", "value")  # last names of layers with a delta per task
    adapted_tasks: tuple[str, ...] | None = None  # tasks with deltas of their own, oldest first; None: all
    example_tasks: Mapping[str, int] = field(default_factory=dict, hash=False)  # task -> answers its heads compare with
    worded_tasks: tuple[str, ...] = ()  # tasks whose trained heads are mixed with what the wording says

    def __post_init__(self) -> None:
        tasks = {
            str(task): {str(c): tuple(int(v) for v in values) for c, values in criteria.items()}
            for task, criteria in self.tasks.items()
        }
        object.__setattr__(self, "tasks", tasks)
        for name in ("lora_modules", "task_lora_modules"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("width", "experts", "expert_hidden", "gate_hidden", "task_width"):
            _at_least(name, getattr(self, name), 1)
        _at_least("max_tokens", self.max_tokens, 8)
        for name in ("lora_rank", "task_lora_rank", "moe_layers"):
            _at_least(name, getattr(self, name), 0)
        _at_least("pooling_heads", self.pooling_heads, 1)
        if self.width % self.pooling_heads:
            raise InvalidInput(f"pooling_heads: {self.pooling_heads} does not divide width {self.width}")
        if self.top_k is not None and not 1 <= self.top_k <= self.experts:
            raise InvalidInput(f"top_k: {self.top_k} is not between 1 and experts ({self.experts}); null is dense")
        if self.adapted_tasks is not None:
            object.__setattr__(self, "adapted_tasks", tuple(self.adapted_tasks))
            unknown = sorted(set(self.adapted_tasks or ()) - set(tasks))
            if unknown or len(set(self.adapted_tasks or ())) < len(self.adapted_tasks or ()):
                raise InvalidInput(
                    f"adapted_tasks: {list(self.adapted_tasks or ())} must be distinct tasks of this student"
                )
        object.__setattr__(self, "example_tasks", dict(self.example_tasks))
        for task, count in self.example_tasks.items():
            if task not in tasks:
                raise InvalidInput(f"example_tasks: {task!r} is not a task of this student")
            _at_least(f"example_tasks: {task!r}", count, 1)
        object.__setattr__(self, "worded_tasks", tuple(self.worded_tasks))
        for task in self.worded_tasks:
            if task not in tasks or task in self.example_tasks:
                raise InvalidInput(f"worded_tasks: {task!r} is not a task of this student with trained heads")
        if not 0 <= self.dropout < 1:
            raise InvalidInput(f"dropout: {self.dropout} is not in [0, 1)")
        if self.head not in HEAD_KINDS:
            raise InvalidInput(f"head: {self.head!r} is not one of {list(HEAD_KINDS)}")
        for which in ("", "task_"):
            if getattr(self, f"{which}lora_rank") and not getattr(self, f"{which}lora_modules"):
                raise InvalidInput(f"{which}lora_modules: name at least one layer, or set {which}lora_rank to 0")
        if not tasks:
            raise InvalidInput("tasks: a student needs at least one task")
        for task, criteria in tasks.items():
            if not criteria:
                raise InvalidInput(f"tasks: {task!r} has no criterion")
            for criterion, values in criteria.items():
                if len(values) < 2 or list(values) != list(range(values[0], values[0] + len(values))):
                    raise InvalidInput(
                        f"tasks: {task!r}, criterion {criterion!r}: levels {list(values)} must be two or more "
                        "consecutive whole numbers, lowest first"
                    )

    @property
    def task_ids(self) -> tuple[str, ...]:
        """Task ids; the position is the task's index in the model."""
        return tuple(self.tasks)

    @property
    def delta_slots(self) -> tuple[int, ...]:
        """Per task, which of the tasks' own deltas it has; -1 for none."""
        adapted = self.task_ids if self.adapted_tasks is None else self.adapted_tasks
        return tuple(adapted.index(task) if task in adapted else -1 for task in self.task_ids)

    @property
    def reads_wording(self) -> bool:
        """Whether any task is scored by its answers' words beside their meaning."""
        return bool(self.example_tasks or self.worded_tasks)

    def to_json(self) -> dict[str, Any]:
        """Plain values for `config.json`; `from_json` gives an equal config back."""
        values = asdict(self)
        values["tasks"] = {t: {c: list(v) for c, v in criteria.items()} for t, criteria in self.tasks.items()}
        for name in ("lora_modules", "task_lora_modules", "worded_tasks"):
            values[name] = list(values[name])
        if self.adapted_tasks is not None:
            values["adapted_tasks"] = list(self.adapted_tasks)
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> StudentConfig:
        """Build from plain values. Raises `InvalidInput` for an unknown or missing key, naming it."""
        allowed = {entry.name for entry in fields(cls)}
        unknown = sorted(set(values) - allowed)
        if unknown:
            raise InvalidInput(f"student config: unknown key {unknown[0]!r}; allowed are {sorted(allowed)}")
        missing = [n for n in ("encoder", "encoder_sha256", "width", "tasks") if n not in values]
        if missing:
            raise InvalidInput(f"student config: {missing[0]!r} is missing")
        return cls(**json.loads(json.dumps(values)))


def _at_least(name: str, value: int, lowest: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
        raise InvalidInput(f"{name}: {value!r} is not a whole number of at least {lowest}")
