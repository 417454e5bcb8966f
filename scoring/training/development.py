"""A look at a student on its dev rows: agreement and expert use while it trains, logits to calibrate with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scoring.agreement import plain_mean, quadratic_weighted_kappa
from scoring.domain import round_half_up
from scoring.inference.batching import run_batches
from scoring.itembank import LabelledResponse
from scoring.student.model import Student
from scoring.student.tokens import Tokens

TOKEN_BUDGET = 8192
"""Tokens per batch without gradients."""

Key = tuple[str, str]


@dataclass(frozen=True)
class Look:
    """What a student says about labelled rows."""

    logits: Mapping[Key, np.ndarray]  # (task, criterion) -> (n, L), of the rows with a human level
    labels: Mapping[Key, np.ndarray]  # (task, criterion) -> (n,) human level indices
    qwk: dict[str, float]  # task -> mean over its criteria
    expert_use: dict[str, list[list[float]]]  # task -> (layers, experts) mean gate weight

    @property
    def mean_qwk(self) -> float:
        """Mean over tasks; nan without rows."""
        return plain_mean(self.qwk.values())


def look(
    student: Student, tokens: Sequence[Tokens], task_index: Sequence[int], rows: Sequence[LabelledResponse], *,
    pad_id: int, device: torch.device, autocast: torch.dtype | None,
) -> Look:  # fmt: skip
    """Run a student in evaluation mode over labelled rows, (N,) each."""
    logits: dict[Key, list[np.ndarray]] = {}
    labels: dict[Key, list[int]] = {}
    gates: dict[str, list[Tensor]] = {}
    for batch, output in run_batches(
        student, tokens, task_index, pad_id=pad_id, token_budget=TOKEN_BUDGET, device=device, autocast=autocast
    ):
        for key, table in output.logits.items():
            lowest = student.config.tasks[key[0]][key[1]][0]
            for row, values in zip(output.rows[key[0]].tolist(), table.double().cpu().numpy(), strict=True):
                level = rows[batch[row]].levels.get(key[1])
                if level is not None:
                    logits.setdefault(key, []).append(values)
                    labels.setdefault(key, []).append(level - lowest)
        for task_id, places in output.rows.items():
            gates.setdefault(task_id, []).append(output.gate_weights[places].float().cpu())
    tables = {key: np.stack(values) for key, values in logits.items()}
    known = {key: np.asarray(values) for key, values in labels.items()}
    kappas = {key: _kappa(tables[key], known[key]) for key in tables}
    return Look(
        logits=tables,
        labels=known,
        qwk={
            task_id: plain_mean(kappa for key, kappa in kappas.items() if key[0] == task_id)
            for task_id in student.config.tasks
            if any(key[0] == task_id for key in kappas)
        },
        expert_use={
            task_id: [[round(weight, 4) for weight in layer] for layer in torch.cat(parts).mean(0).tolist()]
            for task_id, parts in gates.items()
        },
    )


def plain(value: float, digits: int | None = 5) -> float | None:
    """A number for JSON: nan and infinities are None."""
    if not math.isfinite(value):
        return None
    return value if digits is None else round(value, digits)


def _kappa(logits: np.ndarray, labels: np.ndarray) -> float:
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    expected = (powers / powers.sum(-1, keepdims=True)) @ np.arange(logits.shape[-1])
    return quadratic_weighted_kappa(labels.tolist(), [round_half_up(value) for value in expected])
