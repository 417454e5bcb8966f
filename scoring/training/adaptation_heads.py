"""Where the heads of a task with a delta start: a convex problem, solved in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from scoring.student.config import StudentConfig
from scoring.student.heads import CumulativeHead, SoftmaxHead, build_head
from scoring.training.adaptation_delta import soft_loss

DECAY = 30.0
"""Weight of the heads' squared norm, against the sum of the losses."""


def fit_heads(
    config: StudentConfig, task_id: str, hidden: np.ndarray, targets: Mapping[str, np.ndarray],
    weights: Mapping[int, float], *, expected_weight: float,
) -> dict[str, Tensor]:  # fmt: skip
    """The heads of a task on what the student sees without a delta, by name as its module list names them.

    Args:
        config: the student's.
        task_id: the task.
        hidden: (N, D) what heads read.
        targets: criterion id -> (N, L) distributions to learn, nan where nothing is known.
        weights: position -> how much an answer counts; others are not looked at.
        expected_weight: of the squared error of the expected level.
    """
    state: dict[str, Tensor] = {}
    places = list(weights)
    for number, (criterion_id, values) in enumerate(config.tasks[task_id].items()):
        aim = targets[criterion_id][places]
        known = ~np.isnan(aim).any(1)
        rows = np.asarray(places)[known]
        counts = torch.tensor([weights[at] for at in rows.tolist()], dtype=torch.float32)
        torch.manual_seed(0)
        head = build_head(config.head, config.width, len(values), 0.0)
        _fit(
            head, torch.tensor(hidden[rows], dtype=torch.float32), torch.tensor(aim[known], dtype=torch.float32),
            counts, expected_weight=expected_weight,
        )  # fmt: skip
        state |= {f"{number}.{name}": tensor.detach().clone() for name, tensor in head.named_parameters()}
    return state


def _fit(head: nn.Module, seen: Tensor, aim: Tensor, counts: Tensor, *, expected_weight: float) -> None:
    assert isinstance(head, SoftmaxHead | CumulativeHead)
    weight = head.linear.weight if isinstance(head, SoftmaxHead) else head.score.weight
    with torch.no_grad():
        weight.zero_()
    optimizer = torch.optim.LBFGS(head.parameters(), max_iter=80, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = (counts * soft_loss(head(seen), aim, expected_weight)).sum() + DECAY * weight.square().sum()
        torch.autograd.backward(loss)
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
