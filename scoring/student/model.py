"""The student: encoder with low-rank deltas, task pooling, gated MoE, one head per criterion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from scoring.student.config import StudentConfig
from scoring.student.heads import build_head
from scoring.student.lora import add_adapters, add_task_adapters, merge_adapters
from scoring.student.moe import MoELayer
from scoring.student.pooling import TaskEmbedding, TaskPooling


class StudentOutput(NamedTuple):
    """What the student says about a batch of responses, which may mix tasks."""

    logits: Mapping[tuple[str, str], Tensor]  # (task id, criterion id) -> (n of the task, L)
    rows: Mapping[str, Tensor]  # task id -> (n of the task,) positions in the batch, ascending
    vectors: Tensor  # (B, D) responses as the task pools them, before the MoE layers
    gate_weights: Tensor  # (B, layers, E)
    balance_loss: Tensor  # scalar, mean over layers, 1 when experts are used alike
    z_loss: Tensor  # scalar, mean over layers


class Student(nn.Module):
    """One compact model for many tasks. Only what is not the base encoder is trained and saved."""

    def __init__(self, config: StudentConfig, encoder: nn.Module) -> None:
        super().__init__()
        self.config = config
        self.encoder = encoder
        add_adapters(encoder, config.lora_modules, config.lora_rank, config.lora_alpha)
        self._rows = add_task_adapters(
            encoder, config.task_lora_modules, config.task_lora_rank, config.task_lora_alpha, config.delta_slots
        )
        self.task_embedding = TaskEmbedding(len(config.tasks), config.task_width, config.width, config.text_informed)
        self.pooling = TaskPooling(config.width, config.task_width, config.pooling_heads)
        self.moe = nn.ModuleList(
            MoELayer(
                config.width, config.task_width, config.experts, config.expert_hidden, config.gate_hidden,
                config.top_k, config.dropout, tasks=len(config.tasks),
            )
            for _ in range(config.moe_layers)
        )  # fmt: skip
        # Ids may hold dots and slashes, which module names can't: heads go by position.
        self.heads = nn.ModuleList(
            nn.ModuleList(
                build_head(config.head, config.width, len(values), config.dropout) for values in criteria.values()
            )
            for criteria in config.tasks.values()
        )

    def forward(self, input_ids: Tensor, attention_mask: Tensor, task_index: Tensor) -> StudentOutput:
        """Score a batch.

        Shapes: B responses, T tokens, D width, E experts, L levels, W task width.

        Args:
            input_ids: (B, T) token ids.
            attention_mask: (B, T), 1 for tokens and 0 for padding.
            task_index: (B,) each response's task as its position in `config.tasks`.
        """
        with self._rows.of(task_index):
            states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state  # (B, T, D)
        task = self.task_embedding(task_index)  # (B, W)
        vectors = self.pooling(states.to(task.dtype), attention_mask, task)  # (B, D)
        hidden = vectors
        layers = []
        for layer in self.moe:
            layers.append(layer(hidden, task, task_index))
            hidden = layers[-1].hidden  # (B, D)
        logits: dict[tuple[str, str], Tensor] = {}
        rows: dict[str, Tensor] = {}
        present = set(task_index.tolist())
        for index, (task_id, criteria) in enumerate(self.config.tasks.items()):
            if index not in present:
                continue
            rows[task_id] = (task_index == index).nonzero()[:, 0]  # (n,)
            of_task = hidden[rows[task_id]]  # (n, D)
            of_criteria = cast(nn.ModuleList, self.heads[index])
            for position, criterion_id in enumerate(criteria):
                logits[task_id, criterion_id] = of_criteria[position](of_task)  # (n, L)
        return StudentOutput(
            logits=logits,
            rows=rows,
            vectors=vectors,
            gate_weights=(
                torch.stack([layer.weights for layer in layers], dim=1)  # (B, layers, E)
                if layers
                else hidden.new_zeros(len(hidden), 0, self.config.experts)
            ),
            balance_loss=_mean(hidden, [layer.balance_loss for layer in layers]),
            z_loss=_mean(hidden, [layer.z_loss for layer in layers]),
        )

    def own_state(self) -> dict[str, Tensor]:
        """Every weight and buffer that is not the base encoder's: what a checkpoint holds."""
        return {
            name: tensor
            for name, tensor in self.state_dict().items()
            if not name.startswith("encoder.") or ".delta." in name or ".task_delta." in name
        }

    def merge_adapters(self) -> Student:
        """Add the shared deltas into the encoder's weights, for scoring. It can't be trained or saved after."""
        merge_adapters(self.encoder)
        return self


def _mean(like: Tensor, losses: list[Tensor]) -> Tensor:
    return torch.stack(losses).mean() if losses else like.new_zeros(())
