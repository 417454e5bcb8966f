"""The student: encoder with low-rank deltas, task pooling, gated MoE, one head per criterion.

What an answer's words say may be mixed in. A task learnt from few labels may have heads that compare an answer with
the labelled ones instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from scoring.student.config import StudentConfig
from scoring.student.example_heads import ExampleHeads
from scoring.student.heads import TrainedHeads
from scoring.student.lora import add_adapters, add_task_adapters, merge_adapters
from scoring.student.moe import MoELayer
from scoring.student.pooling import TaskEmbedding, TaskPooling
from scoring.student.wording_heads import WordingHeads


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

    spelling: Tensor | None

    def __init__(self, config: StudentConfig, encoder: nn.Module, spelling: Tensor | None = None) -> None:
        """`spelling` is of the encoder's vocabulary, from `spelling_of`; needed where wording is read."""
        super().__init__()
        if config.reads_wording and spelling is None:
            raise ValueError("a student that reads wording needs its encoder's spelling")
        self.register_buffer("spelling", spelling, persistent=False)
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
        self.heads = nn.ModuleList(_heads(config, task_id) for task_id in config.tasks)
        self.wording = nn.ModuleList(
            WordingHeads(_levels(config, task_id)) if task_id in config.worded_tasks else nn.Identity()
            for task_id in config.tasks
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
            own, heads, words = rows[task_id], self.heads[index], self.wording[index]
            if isinstance(heads, ExampleHeads):
                tables = heads(vectors[own], input_ids[own], attention_mask[own], self.spelling)
            else:
                tables = heads(hidden[own])
            if isinstance(words, WordingHeads):
                tables = words(tables, input_ids[own], attention_mask[own], self.spelling)
            logits |= {(task_id, key): table for key, table in zip(criteria, tables, strict=True)}  # (n, L) each
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


def _heads(config: StudentConfig, task_id: str) -> nn.Module:
    levels = _levels(config, task_id)
    if task_id in config.example_tasks:
        return ExampleHeads(config.width, config.example_tasks[task_id], levels)
    return TrainedHeads(config.head, config.width, levels, config.dropout)


def _levels(config: StudentConfig, task_id: str) -> list[int]:
    return [len(values) for values in config.tasks[task_id].values()]


def _mean(like: Tensor, losses: list[Tensor]) -> Tensor:
    return torch.stack(losses).mean() if losses else like.new_zeros(())
