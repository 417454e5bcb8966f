"""From token states to one response vector, as the task wants to look at it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class TaskEmbedding(nn.Module):
    """A learned vector per task plus a projection of what the encoder reads in the task's texts.

    A task without training starts from its rubric rather than from noise. `views` is computed once
    and travels with the checkpoint.
    """

    views: Tensor

    def __init__(self, tasks: int, task_width: int, width: int, text_informed: bool = True) -> None:
        super().__init__()
        self.learned = nn.Embedding(tasks, task_width)
        self.project = nn.Linear(width, task_width, bias=False) if text_informed else None
        self.register_buffer("views", torch.zeros(tasks, width))  # (tasks, D), unit length
        nn.init.normal_(self.learned.weight, std=0.1)

    def forward(self, task_index: Tensor) -> Tensor:
        """(B,) indices -> (B, W)."""
        learned: Tensor = self.learned(task_index)
        if self.project is None:
            return learned
        described: Tensor = self.project(self.views[task_index])
        return learned + described


class TaskPooling(nn.Module):
    """The plain mean of token states, plus what the task's query attends to.

    The attended part enters through a projection that starts at zero, so training begins from the
    mean that the encoder was built for.
    """

    def __init__(self, width: int, task_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(task_width, width)
        self.out = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, hidden: Tensor, attention_mask: Tensor, task: Tensor) -> Tensor:
        """Shapes: B responses, T tokens, D width, H heads, W task width; (B, T, D) -> (B, D)."""
        B, T, D = hidden.shape
        mean = masked_mean(hidden, attention_mask)  # (B, D)
        parts = hidden.view(B, T, self.heads, D // self.heads)  # (B, T, H, D/H)
        query = self.query(task).view(B, self.heads, D // self.heads)  # (B, H, D/H)
        scores = torch.einsum("bhd,bthd->bht", query, parts).float() / (D // self.heads) ** 0.5  # (B, H, T)
        scores = scores.masked_fill(attention_mask[:, None, :] == 0, float("-inf"))
        attended = torch.einsum("bht,bthd->bhd", scores.softmax(-1).to(parts.dtype), parts)  # (B, H, D/H)
        pooled: Tensor = self.norm(mean + self.out(attended.reshape(B, D)))
        return pooled


def masked_mean(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """Mean over the tokens that are not padding: (B, T, D), (B, T) -> (B, D)."""
    mask = attention_mask[..., None].to(hidden.dtype)  # (B, T, 1)
    return (hidden * mask).sum(1) / mask.sum(1).clamp(min=1)
