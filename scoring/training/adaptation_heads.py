"""Heads fitted on what the student sees without a delta: a convex problem, solved in milliseconds.

What the student's own tasks reward is much of what a new one does: on ASAP-SAS the mean of five tasks'
heads orders answers to a task that none of them knows with a correlation of .3 to .6. So a new head is
`V + R`: `V` a weighting of the directions in which the known tasks' scores rise, `R` what the labels
say beyond, kept small.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from scoring.student.config import StudentConfig
from scoring.student.heads import CumulativeHead, SoftmaxHead, build_head
from scoring.student.model import Student
from scoring.training.adaptation_delta import soft_loss

DECAY = 30.0
"""Weight of the squared norm of `R`, against the sum of the losses."""
RELATED = 4.0
"""Weight of the squared distance of the directions' weights from an even start."""
START = 1.0
"""Sum of the directions' weights before anything is learnt."""


def directions(student: Student, hidden: np.ndarray) -> np.ndarray:
    """(H, D) where the scores of each criterion of the student's other tasks rise, one unit per standard deviation.

    Args:
        student: the newest task is left out.
        hidden: (N, D) answers on which the standard deviation is taken.
    """
    found = []
    for heads in list(student.heads)[:-1]:
        assert isinstance(heads, nn.ModuleList)
        for head in heads:
            weight = _weight(head).detach().float().cpu().numpy()  # (L or 1, D)
            along = weight[0] if len(weight) == 1 else np.linspace(-1, 1, len(weight)) @ weight
            spread = float((hidden @ along).std())
            if spread > 0:
                found.append(along / spread)
    return np.array(found, dtype=np.float32).reshape(-1, hidden.shape[1])


def fit_heads(
    config: StudentConfig, task_id: str, hidden: np.ndarray, targets: Mapping[str, np.ndarray],
    weights: Mapping[int, float], related: np.ndarray, *, expected_weight: float, decay: float = DECAY,
    hold: float = RELATED,
) -> dict[str, Tensor]:  # fmt: skip
    """The heads of a task, by name as its module list names them.

    Args:
        config: the student's.
        task_id: the task.
        hidden: (N, D) what heads read.
        targets: criterion id -> (N, L) distributions to learn, nan where nothing is known.
        weights: position -> how much an answer counts; others are not looked at.
        related: (H, D) from `directions`.
        expected_weight: of the squared error of the expected level.
        decay: of the squared norm beyond the directions.
        hold: of the directions' weights to their start.
    """
    state: dict[str, Tensor] = {}
    places = list(weights)
    along = torch.tensor(related, dtype=torch.float32)
    for number, (criterion_id, values) in enumerate(config.tasks[task_id].items()):
        aim = targets[criterion_id][places]
        known = ~np.isnan(aim).any(1)
        rows = np.asarray(places)[known]
        counts = torch.tensor([weights[at] for at in rows.tolist()], dtype=torch.float32)
        torch.manual_seed(0)
        head = build_head(config.head, config.width, len(values), 0.0)
        fitted = _fit(
            head, torch.tensor(hidden[rows], dtype=torch.float32), torch.tensor(aim[known], dtype=torch.float32),
            counts, along, expected_weight=expected_weight, decay=decay, hold=hold,
        )  # fmt: skip
        state |= {f"{number}.{name}": tensor for name, tensor in fitted.items()}
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


def _fit(
    head: nn.Module, seen: Tensor, aim: Tensor, counts: Tensor, related: Tensor, *, expected_weight: float,
    decay: float, hold: float,
) -> dict[str, Tensor]:  # fmt: skip
    weight = _weight(head)
    name = next(n for n, parameter in head.named_parameters() if parameter is weight)
    shape = torch.ones(1, 1) if len(weight) == 1 else torch.linspace(-1, 1, len(weight))[:, None]  # (L or 1, 1)
    start = START / max(1, len(related))
    shares = nn.Parameter(torch.full((len(related),), start))
    with torch.no_grad():
        weight.zero_()
    parameters = [*head.parameters(), shares]
    optimizer = torch.optim.LBFGS(parameters, max_iter=80, line_search_fn="strong_wolfe")

    def whole() -> dict[str, Tensor]:
        own: dict[str, Tensor] = dict(head.named_parameters())
        return {**own, name: weight + shape * (shares @ related)}

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = (counts * soft_loss(functional_call(head, whole(), (seen,)), aim, expected_weight)).sum()
        loss = loss + decay * weight.square().sum() + hold * (shares - start).square().sum()
        torch.autograd.backward(loss)
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return {key: tensor.detach().clone() for key, tensor in whole().items()}


def _weight(head: nn.Module) -> Tensor:
    assert isinstance(head, SoftmaxHead | CumulativeHead)
    return head.linear.weight if isinstance(head, SoftmaxHead) else head.score.weight
