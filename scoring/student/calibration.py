"""Probabilities that mean what they say: a temperature per criterion, and sets of levels with known coverage.

Levels spread as people's do: an expected score shrinks towards the mean where the model is unsure, so
that rounding it gives too few of the highest and lowest levels. As RSMTool scales its scores (Madnani
& Loukina 2016), it is brought to the humans' mean and standard deviation before it is rounded.

Saved in the version's `config.json`, so that it is part of the version, and applied by the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from scoring.domain import round_half_up
from scoring.errors import InvalidInput

NUMBERS = ("temperature", "threshold", "machine_mean", "human_mean", "spread")

Key = tuple[str, str]
"""(task id, criterion id)."""


@dataclass(frozen=True)
class CriterionCalibration:
    """How one criterion's logits are read."""

    temperature: float = 1.0  # the logits are divided by it (Guo et al. 2017)
    threshold: float = 1.0  # largest mass before a level for the level to be in the set; 1 takes all levels
    n: int = 0  # labelled responses that it was fitted on
    machine_mean: float = 0.0  # of the expected level, counted from the lowest
    human_mean: float = 0.0  # of the human level, likewise
    spread: float = 1.0  # standard deviation of the human levels over that of the expected ones

    def level(self, expected: float, levels: int) -> int:
        """The level for an expected one, both counted from the lowest: scaled, rounded half up, and kept in range."""
        scaled = self.human_mean + self.spread * (expected - self.machine_mean)
        return min(max(round_half_up(scaled), 0), levels - 1)


@dataclass(frozen=True)
class Calibration:
    """Of a student; a criterion that isn't named is read as it is and has no level set."""

    coverage: float = 0.9  # share of responses whose human level the set is to hold
    criteria: Mapping[Key, CriterionCalibration] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` gives an equal calibration back."""
        tasks: dict[str, dict[str, Any]] = {}
        for (task_id, criterion_id), entry in self.criteria.items():
            tasks.setdefault(task_id, {})[criterion_id] = {
                name: round(value, 6) for name, value in asdict(entry).items()
            }
        return {"coverage": self.coverage, "tasks": tasks}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Calibration:
        """Build from plain values. Raises `InvalidInput` for a malformed entry, naming it."""
        criteria: dict[Key, CriterionCalibration] = {}
        try:
            for task_id, entries in values["tasks"].items():
                for criterion_id, entry in entries.items():
                    numbers = {name: float(entry[name]) for name in NUMBERS}
                    criteria[task_id, criterion_id] = CriterionCalibration(n=int(entry["n"]), **numbers)
                    if not criteria[task_id, criterion_id].temperature > 0:
                        raise InvalidInput(f"calibration: {task_id!r}, {criterion_id!r}: temperature must be above 0")
            return cls(float(values["coverage"]), criteria)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInput(f"calibration: malformed ({error!r})") from error


def calibrated_softmax(logits: np.ndarray, temperature: float) -> np.ndarray:
    """(n, L) logits -> (n, L) probabilities."""
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max(-1, keepdims=True))
    result: np.ndarray = powers / powers.sum(-1, keepdims=True)
    return result


def mass_before(probabilities: np.ndarray, start: int) -> np.ndarray:
    """How much probability a growing set of neighbouring levels holds before each level joins it.

    The set starts at the level that is shown and takes in the likelier of its two neighbours each
    time, so it is always a range of levels with the shown one inside. As a nonconformity score it
    gives split-conformal sets with the stated coverage, whatever the model (Vovk et al. 2005;
    growing by likelihood after Romano et al. 2020).

    Args:
        probabilities: (L,).
        start: index of the level that is shown.

    Returns:
        (L,), 0 for the shown level.

    >>> mass_before(np.array([0.125, 0.625, 0.25]), 1).tolist()
    [0.875, 0.0, 0.625]
    """
    levels = len(probabilities)
    before = np.zeros(levels)
    low = high = start
    mass = float(probabilities[start])
    while high - low + 1 < levels:
        down = probabilities[low - 1] if low > 0 else -1.0
        up = probabilities[high + 1] if high + 1 < levels else -1.0
        if down >= up:
            low -= 1
            before[low], mass = mass, mass + float(down)
        else:
            high += 1
            before[high], mass = mass, mass + float(up)
    return before


def level_set(probabilities: np.ndarray, start: int, threshold: float) -> list[int]:
    """Indices of the levels in the set, ascending; always with `start`."""
    return np.flatnonzero(mass_before(probabilities, start) <= threshold).tolist()
