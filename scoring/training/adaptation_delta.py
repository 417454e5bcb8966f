"""Training what belongs to the newest task of a student: its delta on the encoder, embedding, leanings and heads."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from scoring.inference.batching import plan_batches
from scoring.student.lora import TaskDeltas
from scoring.student.model import Student, StudentOutput
from scoring.student.tokens import Tokens
from scoring.training.adaptation_config import AdaptConfig
from scoring.training.adaptation_layers import LowerStates, Playback
from scoring.training.growing import HEAD, only_newest, task_rows

TOKEN_BUDGET = 4096
WARMUP = 0.1
"""Share of the steps in which the learning rate rises."""


@dataclass(frozen=True)
class Lesson:
    """What is to be learnt: distributions over levels, of labelled answers and of taught ones."""

    labelled: Sequence[int]  # positions among all answers
    pool: Sequence[int]  # positions of unlabelled answers that a teacher has an opinion on
    share: float  # of the pool in a batch, against the labelled answers in it
    targets: Mapping[str, np.ndarray]  # criterion id -> (N, L), nan where nothing is known
    heads: Mapping[str, Tensor]  # where the heads start, by name as `task_rows` gives them without `HEAD`


class Trainee:
    """A student whose newest task is trained again and again, from the same start each time."""

    def __init__(
        self, student: Student, tokens: Sequence[Tokens], pad_id: int, config: AdaptConfig, device: torch.device,
        autocast: torch.dtype | None,
    ) -> None:  # fmt: skip
        self.student, self._tokens, self._pad_id = student, tokens, pad_id
        self._config, self._device, self._autocast = config, device, autocast
        self.task_id = student.config.task_ids[-1]
        self._index = len(student.config.task_ids) - 1
        self.lower = LowerStates(student, config.layers)
        self._lengths = [len(row) for row in tokens]

    def steps(self, labelled: int) -> int:
        """How many steps a training on so many labelled answers makes."""
        config = self._config
        epochs = max(config.fewest_epochs, min(config.epochs, config.passes // max(labelled, 1)))
        return epochs * -(-labelled // config.batch_size)

    def train(self, lesson: Lesson, seed: int) -> Iterator[None]:
        """Start afresh and learn; one step a batch. Afterwards `state` is what was learnt."""
        config = self._config
        self._reset(lesson.heads, seed)
        torch.manual_seed(seed)
        generator = random.Random(seed)
        total = self.steps(len(lesson.labelled))
        others = round(lesson.share * min(config.batch_size, len(lesson.labelled))) if lesson.pool else 0
        targets = {key: torch.tensor(table, dtype=torch.float32) for key, table in lesson.targets.items()}
        batches, pool = (
            _endless(lesson.labelled, config.batch_size, generator),
            _endless(lesson.pool, others, generator),
        )
        with only_newest(self.student) as own, self.lower.playing() as player:
            optimizer = self._optimizer(own)
            schedule = torch.optim.lr_scheduler.LambdaLR(
                optimizer, lambda step: min((step + 1) / max(1, round(WARMUP * total)), (total - step) / total)
            )
            self.student.train()
            for _ in range(total):
                batch = next(batches) + (next(pool) if others else [])
                loss = self._loss(batch, targets, player)
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(loss)
                torch.nn.utils.clip_grad_norm_(own, 1.0)
                optimizer.step()
                schedule.step()
                yield
        self.student.eval()

    def state(self) -> dict[str, Tensor]:
        """A copy of what belongs to the task."""
        return {name: tensor.detach().cpu().clone() for name, tensor in task_rows(self.student, self.task_id).items()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""
        rows = task_rows(self.student, self.task_id)
        for name, tensor in state.items():
            rows[name].copy_(tensor)

    def untrained(self) -> dict[str, Tensor]:
        """A copy of what belongs to a task that has heads alone: no delta, no embedding of its own, no leanings."""
        self._reset({}, seed=0)
        return {name: tensor for name, tensor in self.state().items() if not name.startswith(HEAD)}

    def logits(self, positions: Sequence[int], found: dict[str, np.ndarray]) -> Iterator[None]:
        """Fill `found`, criterion id -> (n, L), for answers in the order given; one step a batch."""
        self.student.eval()
        for batch in plan_batches([self._lengths[at] for at in positions], TOKEN_BUDGET):
            with torch.inference_mode(), self.lower.playing() as player:
                output = self._forward([positions[at] for at in batch], player)
            for (_, criterion_id), table in output.items():
                values = table.double().cpu().numpy()
                found.setdefault(criterion_id, np.zeros((len(positions), values.shape[1])))[batch] = values
            yield

    def _forward(self, batch: Sequence[int], player: Playback | None) -> Mapping[tuple[str, str], Tensor]:
        ids, mask = self.lower.batch(player, batch, self._tokens, self._pad_id, self._device)
        index = torch.full((len(batch),), self._index, device=self._device)
        with torch.autocast(self._device.type, dtype=self._autocast, enabled=self._autocast is not None):
            output: StudentOutput = self.student(ids, mask, index)
        return output.logits

    def _loss(self, batch: Sequence[int], targets: Mapping[str, Tensor], player: Playback | None) -> Tensor:
        losses, counts = torch.zeros(len(batch), device=self._device), torch.zeros(len(batch), device=self._device)
        for (_, criterion_id), logits in self._forward(batch, player).items():
            aim = targets[criterion_id][list(batch)].to(self._device)
            known = ~aim.isnan().any(-1)
            losses = losses + known * soft_loss(logits, aim.nan_to_num(), self._config.expected_weight)
            counts = counts + known
        return (losses / counts.clamp(min=1)).mean()

    def _optimizer(self, own: Sequence[Tensor]) -> torch.optim.Optimizer:
        deltas = {id(p) for module in self._deltas() for p in (module.down, module.up)}
        config = self._config
        groups = [
            {"params": [p for p in own if id(p) in deltas], "lr": config.lr_delta},
            {"params": [p for p in own if id(p) not in deltas], "lr": config.lr_task},
        ]
        return torch.optim.AdamW(groups, weight_decay=config.weight_decay)

    def _deltas(self) -> list[TaskDeltas]:
        return [module for module in self.student.encoder.modules() if isinstance(module, TaskDeltas)]

    @torch.no_grad()
    def _reset(self, heads: Mapping[str, Tensor], seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for name, tensor in task_rows(self.student, self.task_id).items():
            if name.endswith(".down"):
                bound = tensor.shape[1] ** -0.5
                tensor.copy_(torch.empty(tensor.shape).uniform_(-bound, bound, generator=generator))
            elif name.startswith(HEAD):
                if heads:
                    tensor.copy_(heads[name.removeprefix(HEAD)])
            elif name != "views":
                tensor.zero_()


def soft_loss(logits: Tensor, target: Tensor, expected_weight: float) -> Tensor:
    """Cross-entropy with a distribution, and the squared error of the expected level: (n, L), (n, L) -> (n,)."""
    points = torch.linspace(0, 1, logits.shape[-1], device=logits.device)  # (L,)
    apart = (logits.softmax(-1) @ points - target @ points).square()
    return functional.cross_entropy(logits, target, reduction="none") + expected_weight * apart


def _endless(positions: Sequence[int], size: int, generator: random.Random) -> Iterator[list[int]]:
    """Batches of shuffled positions, epoch after epoch; the last of an epoch may be smaller."""
    while positions and size:
        order = list(positions)
        generator.shuffle(order)
        yield from (order[at : at + size] for at in range(0, len(order), size))
