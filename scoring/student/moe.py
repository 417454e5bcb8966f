"""Gated mixture-of-experts layers over the response vector.

As in UniMoE-Guided (Fang et al. 2026, arXiv 2511.17601), `h_l = LN(h_{l-1} + sum_k g_k E_k(h_{l-1}))`,
except that balance is asked of the whole mixed batch: a task may lean on one expert as long as the
batch together uses all.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class GateOutput(NamedTuple):
    """What a gate decided for a batch."""

    weights: Tensor  # (B, E), rows sum to 1; 0 for experts that aren't used
    balance_loss: Tensor  # scalar, 1 when the batch uses all experts alike
    z_loss: Tensor  # scalar, mean squared log-sum-exp of the gate's logits


class MoEOutput(NamedTuple):
    """Result of one MoE layer."""

    hidden: Tensor  # (B, D)
    weights: Tensor  # (B, E)
    balance_loss: Tensor  # scalar
    z_loss: Tensor  # scalar


class Expert(nn.Sequential):
    """Two-layer perceptron, width -> hidden -> width."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        super().__init__(nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, width))


class Gate(nn.Module):
    """`softmax(W2 relu(W1 [h; e_t]) + b_t)`, optionally kept to its `top_k` largest weights.

    The leaning `b_t` of each task starts at zero; a task that is added later learns its own.
    """

    def __init__(
        self, width: int, task_width: int, hidden: int, experts: int, top_k: int | None, tasks: int = 1
    ) -> None:
        super().__init__()
        self.leaning = nn.Embedding(tasks, experts)
        nn.init.zeros_(self.leaning.weight)
        self.top_k = None if top_k == experts else top_k
        self.layers = nn.Sequential(
            nn.Linear(width + task_width, hidden), nn.ReLU(), nn.Linear(hidden, experts, bias=False)
        )

    def forward(self, hidden: Tensor, task: Tensor, task_index: Tensor) -> GateOutput:
        """(B, D) response vectors, (B, W) task embeddings, (B,) tasks -> weights and auxiliary losses."""
        logits = self.layers(torch.cat([hidden, task], dim=-1)).float() + self.leaning(task_index)  # (B, E)
        dense = logits.softmax(-1)  # (B, E)
        weights = dense if self.top_k is None else _keep_largest(dense, self.top_k)
        return GateOutput(weights, balance_loss(dense, weights), logits.logsumexp(-1).square().mean())


class MoELayer(nn.Module):
    """One residual MoE layer with layer normalisation."""

    def __init__(
        self, width: int, task_width: int, experts: int, expert_hidden: int, gate_hidden: int,
        top_k: int | None = None, dropout: float = 0.0, tasks: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.gate = Gate(width, task_width, gate_hidden, experts, top_k, tasks)
        self.experts = nn.ModuleList(Expert(width, expert_hidden, dropout) for _ in range(experts))
        self.norm = nn.LayerNorm(width)

    def forward(self, hidden: Tensor, task: Tensor, task_index: Tensor) -> MoEOutput:
        """Shapes: B responses, D width, E experts, W task width; (B, D), (B, W), (B,) -> (B, D)."""
        gate = self.gate(hidden, task, task_index)
        mixed = torch.zeros_like(hidden)  # (B, D)
        for index, expert in enumerate(self.experts):
            weight = gate.weights[:, index, None].to(hidden.dtype)  # (B, 1)
            if self.gate.top_k is None:
                mixed = mixed + weight * expert(hidden)
            else:
                chosen = weight[:, 0].nonzero()[:, 0]  # (n,)
                mixed = mixed.index_add(0, chosen, (weight[chosen] * expert(hidden[chosen])).to(mixed.dtype))
        return MoEOutput(self.norm(hidden + mixed), gate.weights, gate.balance_loss, gate.z_loss)


def balance_loss(probabilities: Tensor, weights: Tensor) -> Tensor:
    """Uneven use of experts over a whole batch (after Fedus et al. 2021, arXiv 2101.03961, eq. 4).

    `E * sum_k f_k P_k`, with `f_k` the mean weight that expert k carries in the batch and `P_k` the
    mean probability the gate gives it. For a dense gate `f = P` and the least value, 1, is reached
    exactly when the batch as a whole uses all experts alike; one expert alone gives E.

    Args:
        probabilities: (B, E) the gate's softmax.
        weights: (B, E) the weights that were used; rows sum to 1.
    """
    return probabilities.shape[-1] * (weights.mean(0) * probabilities.mean(0)).sum()


def _keep_largest(dense: Tensor, top_k: int) -> Tensor:
    largest, index = dense.topk(top_k, dim=-1)
    return torch.zeros_like(dense).scatter(-1, index, largest / largest.sum(-1, keepdim=True))
