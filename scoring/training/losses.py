"""What training minimises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from scoring.student.model import StudentOutput

UNLABELLED = -100
"""Label of a response that nobody rated on a criterion; it adds nothing to the loss."""


class LossParts(NamedTuple):
    """Scalars; `total` is the weighted sum of the others."""

    total: Tensor
    hard: Tensor
    expected: Tensor
    balance: Tensor
    z: Tensor


def student_loss(
    output: StudentOutput, labels: Mapping[tuple[str, str], Tensor], *, balance_weight: float, z_weight: float,
    expected_weight: float = 0.0,
) -> LossParts:  # fmt: skip
    """Loss of one mixed batch.

    `hard` is the cross-entropy with the human's level, averaged over criteria within a response
    and then over responses, so that a task with many criteria does not outweigh the others.
    `expected` is the squared error of the expected level as a share of the level range; it makes a
    miss by two points cost more than two misses by one, as QWK does.

    Args:
        output: of a `Student` on the batch.
        labels: (task id, criterion id) -> (n of the task,) level indices, `UNLABELLED` where missing;
            the same keys as `output.logits`.
        balance_weight: of the experts' balance loss.
        z_weight: of the gate's z-loss.
        expected_weight: of `expected`.
    """
    zero = output.gate_weights.new_zeros(())
    hard, expected, responses = zero, zero, zero
    for task_id in output.rows:
        keys = [key for key in output.logits if key[0] == task_id]
        known = torch.stack([labels[key] != UNLABELLED for key in keys])  # (criteria, n)
        share = known / known.sum(0).clamp(min=1)  # (criteria, n), sums to 1 over a response's labels
        for weight, key in zip(share, keys, strict=True):
            hard = hard + (weight * hard_loss(output.logits[key], labels[key])).sum()
            if expected_weight:
                expected = expected + (weight * expected_score_loss(output.logits[key], labels[key])).sum()
        responses = responses + known.any(0).sum()
    responses = responses.clamp(min=1)
    hard, expected = hard / responses, expected / responses
    total = hard + expected_weight * expected + balance_weight * output.balance_loss + z_weight * output.z_loss
    return LossParts(total, hard, expected, output.balance_loss, output.z_loss)


def hard_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy per response: (n, L), (n,) -> (n,), 0 where unlabelled."""
    return functional.cross_entropy(logits, labels, ignore_index=UNLABELLED, reduction="none")


def expected_score_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Squared error of the expected level over the squared range: (n, L), (n,) -> (n,), 0 where unlabelled."""
    points = torch.linspace(0, 1, logits.shape[-1], device=logits.device)  # (L,)
    known = labels != UNLABELLED
    target = points[labels.clamp(min=0)]
    return ((logits.softmax(-1) @ points - target) * known).square()
