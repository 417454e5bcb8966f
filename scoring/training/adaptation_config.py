"""Every number that adding a task depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from scoring.errors import InvalidInput


@dataclass(frozen=True)
class AdaptConfig:
    """How a task is added. The defaults were chosen on ASAP-SAS, on training rows of tasks new to the student.

    Raises `InvalidInput` on construction when a value is out of range; the message names the field.
    """

    quick: bool = False  # stop at the first usable model: heads on the student's own view, no delta
    seed: int = 0  # of folds, initial weights, order of rows, dropout and resamples
    folds: int = 5  # parts of the cross-validation
    words: float = 0.5  # share of wording against meaning where an answer is compared with labelled ones, 0 to 1
    rank: int = 8  # of the task's delta on the encoder, where the student has no such deltas yet
    alpha: float = 16.0  # the delta is scaled by alpha / rank
    modules: tuple[str, ...] = ("query", "value")  # last names of the layers with a delta
    layers: int = 3  # upper layers of the encoder in which the delta is trained; in those below it stays zero
    passes: int = 2400  # rows seen in one training of the delta, all epochs together, at most ...
    epochs: int = 12  # ... and never more epochs than this, nor fewer than `fewest_epochs`
    fewest_epochs: int = 3
    batch_size: int = 16  # responses per step
    lr_delta: float = 1e-3  # peak learning rate of the delta
    lr_task: float = 5e-4  # peak learning rate of heads, embedding and gate leanings
    weight_decay: float = 0.01  # of delta and heads, per step and unit of learning rate
    expected_weight: float = 2.0  # weight of the squared error of the expected level, in units of its range
    taught: float = 0.6  # share of the teacher's out-of-fold opinion in the target of a labelled answer
    pool_weight: float = 10.0  # weight of all unlabelled answers together in the first heads of a delta
    pool_share: float = 0.5  # unlabelled answers in a batch of the delta's training, as a share of the labelled ones
    delta_from: int = 300  # labelled answers from which a delta is tried; with 256, heads alone do as well
    largest: int = 1500  # labelled answers that are learnt from, a stratified draw of more
    largest_pool: int = 1000  # unlabelled answers that are looked at
    curve_draws: int = 2  # trainings per size of the learning curve
    replicates: int = 1000  # bootstrap resamples of each interval
    precision: str = "auto"  # "auto", "fp32" or "bf16" (autocast)

    def __post_init__(self) -> None:
        whole = (
            "rank",
            "layers",
            "passes",
            "epochs",
            "fewest_epochs",
            "batch_size",
            "largest",
            "curve_draws",
            "replicates",
        )
        for name, lowest in (
            ("folds", 2),
            ("seed", 0),
            ("largest_pool", 0),
            ("delta_from", 0),
            *((name, 1) for name in whole),
        ):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
                raise InvalidInput(f"{name}: {value!r} is not a whole number of at least {lowest}")
        for name in ("alpha", "lr_delta", "lr_task"):
            if not getattr(self, name) > 0:
                raise InvalidInput(f"{name}: {getattr(self, name)!r} is not above 0")
        for name in ("weight_decay", "expected_weight", "pool_share", "pool_weight"):
            if getattr(self, name) < 0:
                raise InvalidInput(f"{name}: {getattr(self, name)!r} is below 0")
        for name in ("taught", "words"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInput(f"{name}: {getattr(self, name)!r} is not in [0, 1]")
        if self.precision not in ("auto", "fp32", "bf16"):
            raise InvalidInput(f"precision: {self.precision!r} is not auto, fp32 or bf16")

    def to_json(self) -> Mapping[str, Any]:
        """Plain values, for the report."""
        return {**asdict(self), "modules": list(self.modules)}
