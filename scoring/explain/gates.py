"""How the experts share the work over a bank of answers: by task, by level, and whether any are left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scoring.explain.explanation import entropy
from scoring.explain.neighbours import KnownAnswer, Neighbourhood, Vectors
from scoring.inference.engine import Engine

Layers = tuple[tuple[float, ...], ...]
"""One row a MoE layer, one mean gate weight an expert; rows sum to 1."""

UNUSED = 0.25
"""An expert is unused when it carries less than this share of an even load in every task."""
COLLAPSED = 0.9
"""A layer has collapsed when one expert carries at least this share over all tasks."""


@dataclass(frozen=True)
class LevelGates:
    """Gate weights of the answers that people gave one level."""

    criterion_id: str
    level: int
    answers: int
    weights: Layers


@dataclass(frozen=True)
class TaskGates:
    """Gate weights of one task's answers."""

    answers: int
    weights: Layers
    entropy: tuple[float, ...]  # per layer, mean over answers; 0 one expert alone, 1 all alike
    levels: tuple[LevelGates, ...]


@dataclass(frozen=True)
class GateProfile:
    """How a student's experts share the work; every task counts alike."""

    tasks: Mapping[str, TaskGates]

    @property
    def weights(self) -> Layers:
        """Mean over all tasks."""
        return _mean(task.weights for task in self.tasks.values())

    def others(self, task_id: str) -> Layers:
        """Mean over the other tasks; empty when there are none."""
        return _mean(task.weights for other, task in self.tasks.items() if other != task_id)

    @property
    def unused(self) -> tuple[tuple[int, int], ...]:
        """(layer, expert), counted from 0, of the experts that no task makes use of."""
        if not self.tasks:
            return ()
        most = np.max([task.weights for task in self.tasks.values()], axis=0)  # (layers, E)
        return tuple((int(layer), int(expert)) for layer, expert in np.argwhere(most < UNUSED / max(1, most.shape[-1])))

    @property
    def collapsed(self) -> tuple[int, ...]:
        """Layers, counted from 0, in which one expert does nearly everything."""
        return tuple(layer for layer, row in enumerate(self.weights) if len(row) > 1 and max(row) >= COLLAPSED)


def gate_profile(engine: Engine, texts_by_task: Mapping[str, Sequence[str]]) -> GateProfile:
    """How the experts share these texts, by task; without scores, so without levels.

    Raises:
        InvalidInput: the student doesn't know a task.
    """
    return profile_of(
        {
            task_id: Neighbourhood.build(engine, task_id, [KnownAnswer(str(i), t, {}) for i, t in enumerate(texts)])
            for task_id, texts in texts_by_task.items()
        }
    )


def profile_of(bank: Mapping[str, Neighbourhood]) -> GateProfile:
    """How the experts share the known answers of several tasks; tasks without answers are left out."""
    return GateProfile({task_id: _task_gates(known) for task_id, known in bank.items() if known.answers})


def _task_gates(known: Neighbourhood) -> TaskGates:
    by_level: dict[tuple[str, int], list[int]] = {}
    for row, answer in enumerate(known.answers):
        for criterion_id, level in answer.levels.items():
            by_level.setdefault((criterion_id, level), []).append(row)
    entropies = [[entropy(tuple(layer)) for layer in answer] for answer in known.gates.astype(float)]
    return TaskGates(
        answers=len(known.answers),
        weights=_layers(known.gates),
        entropy=tuple(np.mean(entropies, axis=0).tolist()),
        levels=tuple(
            LevelGates(criterion_id, level, len(rows), _layers(known.gates[rows]))
            for (criterion_id, level), rows in sorted(by_level.items())
        ),
    )


def _layers(gates: Vectors) -> Layers:
    """(N, layers, E) -> their mean."""
    return tuple(tuple(row) for row in gates.astype(float).mean(0).tolist())


def _mean(parts: Iterator[Layers]) -> Layers:
    stacked = list(parts)
    return tuple(tuple(row) for row in np.mean(stacked, axis=0).tolist()) if stacked else ()
