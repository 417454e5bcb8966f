"""Heads fitted on what the student sees without a delta: a convex problem, solved in milliseconds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from scoring.student.config import StudentConfig
from scoring.student.heads import build_head
from scoring.training.adaptation_delta import soft_loss

DECAY = 1.0
"""Weight of the squared norm of a head, against the sum of the losses."""


def fit_heads(
    config: StudentConfig, task_id: str, hidden: np.ndarray, targets: Mapping[str, np.ndarray],
    weights: Mapping[int, float], *, expected_weight: float, decay: float = DECAY,
) -> dict[str, Tensor]:  # fmt: skip
    """The heads of a task, by name as its module list names them.

    Args:
        config: the student's.
        task_id: the task.
        hidden: (N, D) what heads read.
        targets: criterion id -> (N, L) distributions to learn, nan where nothing is known.
        weights: position -> how much an answer counts; others are not looked at.
        expected_weight: of the squared error of the expected level.
        decay: of the squared norm.
    """
    state: dict[str, Tensor] = {}
    places = list(weights)
    for number, (criterion_id, values) in enumerate(config.tasks[task_id].items()):
        aim = targets[criterion_id][places]
        known = ~np.isnan(aim).any(1)
        rows = np.asarray(places)[known]
        seen = torch.tensor(hidden[rows], dtype=torch.float32)
        aim_known = torch.tensor(aim[known], dtype=torch.float32)
        counts = torch.tensor([weights[at] for at in rows.tolist()], dtype=torch.float32)
        torch.manual_seed(0)
        head = build_head(config.head, config.width, len(values), 0.0)
        with torch.no_grad():
            for parameter in head.parameters():
                if parameter.ndim > 1:
                    parameter.zero_()
        optimizer = torch.optim.LBFGS(head.parameters(), max_iter=60, line_search_fn="strong_wolfe")

        def closure(head=head, seen=seen, aim=aim_known, counts=counts, optimizer=optimizer) -> Tensor:  # type: ignore[no-untyped-def]
            optimizer.zero_grad()
            loss: Tensor = (counts * soft_loss(head(seen), aim, expected_weight)).sum()
            loss = loss + decay * sum(p.square().sum() for p in head.parameters() if p.ndim > 1)
            torch.autograd.backward(loss)
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        state |= {f"{number}.{name}": tensor.detach().clone() for name, tensor in head.state_dict().items()}
    return state


def head_logits(
    config: StudentConfig, task_id: str, state: Mapping[str, Tensor], hidden: np.ndarray, positions: Sequence[int]
) -> dict[str, np.ndarray]:
    """Criterion id -> (n, L) logits that such heads give."""
    found: dict[str, np.ndarray] = {}
    for number, (criterion_id, values) in enumerate(config.tasks[task_id].items()):
        head = build_head(config.head, config.width, len(values), 0.0)
        prefix = f"{number}."
        head.load_state_dict({n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)})
        with torch.inference_mode():
            found[criterion_id] = head(torch.tensor(hidden[list(positions)])).double().numpy()
    return found
