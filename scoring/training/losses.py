"""What training minimises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from scoring.student.model import StudentOutput

Key = tuple[str, str]
"""(task id, criterion id)."""

UNLABELLED = -100
"""Label of a response that nobody rated on a criterion; it adds nothing to the loss."""


class LossParts(NamedTuple):
    """Scalars; `total` is the weighted sum of the others."""

    total: Tensor
    hard: Tensor
    distil: Tensor
    expected: Tensor
    balance: Tensor
    z: Tensor


def student_loss(
    output: StudentOutput, labels: Mapping[Key, Tensor], targets: Mapping[Key, Tensor] | None = None, *,
    balance_weight: float, z_weight: float, expected_weight: float = 0.0, distil_weight: float = 0.0,
    temperature: float = 1.0,
) -> LossParts:  # fmt: skip
    """Loss of one mixed batch: `(1 - d) hard + d distil + e expected + b balance + z z`.

    `hard` is the cross-entropy with the human's level, `distil` the divergence from the teacher's
    distribution, both averaged over criteria within a response and then over responses, so that a
    task with many criteria does not outweigh the others. `expected` is the squared error of the
    expected level as a share of the level range; it makes a miss by two points cost more than two
    misses by one, as QWK does. Where there is a teacher, `d` of its target is the teacher's own
    expected level. A response without a teacher's opinion learns from people alone.

    Args:
        output: of a `Student` on the batch.
        labels: (task id, criterion id) -> (n of the task,) level indices, `UNLABELLED` where missing;
            the same keys as `output.logits`.
        targets: the same keys -> (n of the task, L) the teacher's probabilities, nan where it has none.
        balance_weight: `b`, of the experts' balance loss.
        z_weight: `z`, of the gate's z-loss.
        expected_weight: `e`.
        distil_weight: `d`, the teacher's share against the human's level, 0 to 1.
        temperature: `T` that softens both sides of `distil`.
    """
    zero = output.gate_weights.new_zeros(())
    hard, distil, expected, responses = zero, zero, zero, zero
    for task_id in output.rows:
        keys = [key for key in output.logits if key[0] == task_id]
        known = torch.stack([labels[key] != UNLABELLED for key in keys])  # (criteria, n)
        share = known / known.sum(0).clamp(min=1)  # (criteria, n), sums to 1 over a response's labels
        for weight, key in zip(share, keys, strict=True):
            logits = output.logits[key]
            taught = torch.zeros_like(weight)  # (n,) the teacher's share
            teacher = torch.full_like(logits, 1 / logits.shape[-1])  # (n, L)
            if targets is not None and distil_weight:
                given = ~targets[key].isnan().any(-1)  # (n,)
                taught = given * distil_weight
                teacher = torch.where(given[:, None], targets[key], teacher)
                distil = distil + (weight * taught * distillation_loss(logits, teacher, temperature)).sum()
            hard = hard + (weight * (1 - taught) * hard_loss(logits, labels[key])).sum()
            if expected_weight:
                aim = mixed_target(labels[key], teacher, taught)
                expected = expected + (weight * expected_score_loss(logits, aim)).sum()
        responses = responses + known.any(0).sum()
    responses = responses.clamp(min=1)
    hard, distil, expected = hard / responses, distil / responses, expected / responses
    auxiliary = balance_weight * output.balance_loss + z_weight * output.z_loss
    total = hard + distil + expected_weight * expected + auxiliary
    return LossParts(total, hard, distil, expected, output.balance_loss, output.z_loss)


def hard_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy per response: (n, L), (n,) -> (n,), 0 where unlabelled."""
    return functional.cross_entropy(logits, labels, ignore_index=UNLABELLED, reduction="none")


def distillation_loss(logits: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """`T² KL(teacher_T || student_T)` per response (Hinton et al. 2015): (n, L), (n, L) -> (n,).

    Both sides are softened: the teacher's probabilities are raised to `1/T` and normalised again.
    """
    softened = teacher.clamp(min=1e-6).log().div(temperature).softmax(-1)
    divergence = functional.kl_div((logits / temperature).log_softmax(-1), softened, reduction="none").sum(-1)
    return temperature**2 * divergence


def mixed_target(labels: Tensor, teacher: Tensor, taught: Tensor) -> Tensor:
    """The expected level to aim for as a share of its range: (n,), (n, L), (n,) -> (n,)."""
    points = torch.linspace(0, 1, teacher.shape[-1], device=teacher.device)  # (L,)
    return (1 - taught) * points[labels.clamp(min=0)] + taught * (teacher @ points)


def expected_score_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Squared error of the expected level over the squared range: (n, L), (n,) -> (n,)."""
    points = torch.linspace(0, 1, logits.shape[-1], device=logits.device)  # (L,)
    return (logits.softmax(-1) @ points - target).square()
