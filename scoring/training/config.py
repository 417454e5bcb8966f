"""Every number that training depends on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from scoring.errors import InvalidInput
from scoring.student.checkpoint import STORAGE
from scoring.student.config import StudentConfig

DERIVED = frozenset({"encoder", "encoder_sha256", "width", "tasks", "example_tasks", "worded_tasks"})
"""Fields of the student's architecture that follow from the data and the encoder."""


@dataclass(frozen=True)
class TrainConfig:
    """Hyper-parameters of one training run.

    Raises `InvalidInput` on construction when a value is out of range; the message names the field.
    """

    epochs: int = 15  # passes over the training rows, at most
    patience: int = 6  # epochs without a better dev score before stopping
    batch_size: int = 16  # responses per step, tasks mixed
    lr_lora: float = 5e-4  # peak learning rate of the encoder's low-rank deltas
    lr_new: float = 5e-4  # peak learning rate of pooling, gates, experts, heads and task embeddings
    weight_decay: float = 0.01  # AdamW's decoupled decay, per step and unit of learning rate
    warmup: float = 0.1  # share of all steps in which the learning rate rises to its peak
    clip: float = 1.0  # largest norm of the gradient
    average: float = 0.98  # decay per step of the weight average that is kept; 0 keeps the last weights
    balance_weight: float = 0.01  # weight of the balance loss
    z_weight: float = 0.001  # weight of the gate's z-loss
    expected_weight: float = 1.0  # weight of the squared error of the expected score, in units of the level range
    distil_weight: float = 0.5  # the teacher's share against the human's level; without targets it does nothing
    temperature: float = 2.0  # softens teacher and student alike in the distillation loss
    wording: bool = True  # whether what an answer's words say is mixed in after training, as far as it helps on dev
    dev_share: float = 0.15  # share of training rows held out for stopping, where no fold says so
    val_share: float = 0.15  # share of all rows held out for the report, where no fold says so
    precision: str = "auto"  # "auto", "fp32" or "bf16" (autocast)
    storage: str = "bf16"  # number format of the saved weights, "fp32" or "bf16"
    seed: int = 0  # of initial weights, order of rows and dropout; splits don't depend on it
    student: Mapping[str, Any] = field(default_factory=dict)  # architecture, other than the defaults

    def __post_init__(self) -> None:
        for name, lowest in (("epochs", 1), ("patience", 1), ("batch_size", 1), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
                raise InvalidInput(f"{name}: {value!r} is not a whole number of at least {lowest}")
        for name in ("lr_lora", "lr_new", "clip", "temperature"):
            if not getattr(self, name) > 0:
                raise InvalidInput(f"{name}: {getattr(self, name)!r} is not above 0")
        for name in ("weight_decay", "balance_weight", "z_weight", "expected_weight"):
            if getattr(self, name) < 0:
                raise InvalidInput(f"{name}: {getattr(self, name)!r} is below 0")
        for name in ("warmup", "average", "dev_share", "val_share"):
            if not 0 <= getattr(self, name) < 1:
                raise InvalidInput(f"{name}: {getattr(self, name)!r} is not in [0, 1)")
        if not 0 <= self.distil_weight <= 1:
            raise InvalidInput(f"distil_weight: {self.distil_weight!r} is not in [0, 1]")
        if not isinstance(self.wording, bool):
            raise InvalidInput(f"wording: {self.wording!r} is not true or false")
        if self.precision not in ("auto", "fp32", "bf16"):
            raise InvalidInput(f"precision: {self.precision!r} is not auto, fp32 or bf16")
        if self.storage not in STORAGE:
            raise InvalidInput(f"storage: {self.storage!r} is not one of {sorted(STORAGE)}")
        allowed = {entry.name for entry in fields(StudentConfig)} - DERIVED
        unknown = sorted(set(self.student) - allowed)
        if unknown:
            raise InvalidInput(f"student: unknown key {unknown[0]!r}; allowed are {sorted(allowed)}")

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the model card."""
        return asdict(self)


def read_train_config(path: Path | None, **overrides: Any) -> TrainConfig:
    """Defaults, then a JSON file, then the overrides that are not None.

    Raises:
        InvalidInput: the file can't be read, or holds an unknown key or a value out of range.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InvalidInput(f"{path}: can't be read ({error.strerror})") from None
        except ValueError as error:
            raise InvalidInput(f"{path}: not valid UTF-8 JSON ({error})") from None
    allowed = {entry.name for entry in fields(TrainConfig)}
    if not isinstance(values, dict):
        raise InvalidInput(f"{path}: an object with keys among {sorted(allowed)} is expected")
    unknown = sorted(set(values) - allowed)
    if unknown:
        raise InvalidInput(f"{path}: unknown key {unknown[0]!r}; allowed are {sorted(allowed)}")
    try:
        return replace(TrainConfig(**values), **{k: v for k, v in overrides.items() if v is not None})
    except TypeError as error:
        raise InvalidInput(f"{path}: a value has the wrong type ({error})") from error
