"""UniMoE-Guided as its authors released it (Fang et al. 2026, arXiv 2511.17601), on our encoder.

Their sizes, gate, heads, losses and schedule: the first token's state, the response alone, 100
tokens; two dense layers of four experts with 512 hidden units; multi-label sigmoid heads with a hidden
layer; binary cross-entropy, load balance within each task's part of the batch, and a distillation
term in which the student's side alone is softened; the whole encoder is trained. A criterion with
L levels is L - 1 yes/no labels, "at least level k", since their tasks have yes/no labels only.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from scoring.agreement import plain_mean, quadratic_weighted_kappa
from scoring.domain import Task
from scoring.inference.batching import plan_batches
from scoring.inference.hardware import choose_device, choose_precision
from scoring.itembank import LabelledResponse
from scoring.student.encoder import encoder_width, load_encoder, locate_encoder, plain_attention
from scoring.student.tokens import Tokenizer, Tokens, pad
from scoring.training.data import Splits
from scoring.training.predictions import Prediction, predictions_from
from scoring.training.resume import Checkpoints, pack_optimizer, unpack_optimizer
from scoring.training.targets import Targets
from scoring.training.trainer import Rows, epoch_batches

EXPERTS, EXPERT_HIDDEN, TASK_WIDTH, LAYERS, TOKENS = 4, 512, 64, 2, 100
LEARNING_RATE, WARMUP, BATCH, EPOCHS, PATIENCE = 2e-5, 0.1, 32, 20, 3
TEMPERATURE, DISTIL_WEIGHT, BALANCE_WEIGHT, DROPOUT = 3.0, 1.0, 0.01, 0.1


class Layer(nn.Module):
    """`LN(h + sum_k g_k E_k(h))` with a task table of its own in the gate."""

    def __init__(self, width: int, tasks: int) -> None:
        super().__init__()
        self.table = nn.Embedding(tasks, TASK_WIDTH)
        self.gate = nn.Sequential(nn.Linear(width + TASK_WIDTH, width), nn.ReLU(), nn.Linear(width, EXPERTS))
        self.experts = nn.ModuleList(
            nn.Sequential(
                nn.Linear(width, EXPERT_HIDDEN), nn.ReLU(), nn.Dropout(DROPOUT), nn.Linear(EXPERT_HIDDEN, width)
            )
            for _ in range(EXPERTS)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, hidden: Tensor, task: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D), (B,) -> (B, D) and gate weights (B, E)."""
        weights = self.gate(torch.cat([hidden, self.table(task)], dim=-1)).softmax(-1)
        mixed = torch.stack([expert(hidden) for expert in self.experts], dim=1)  # (B, E, D)
        return self.norm(hidden + (weights[..., None] * mixed).sum(1)), weights


class UniMoE(nn.Module):
    """Encoder, two gated layers, one multi-label head per task."""

    def __init__(self, tasks: Mapping[str, Task]) -> None:
        super().__init__()
        files = locate_encoder()
        self.encoder = load_encoder(files).requires_grad_(True)
        self.tasks = dict(tasks)
        self._tokenizer = Tokenizer(files, TOKENS)
        width = encoder_width(self.encoder)
        self.layers = nn.ModuleList(Layer(width, len(tasks)) for _ in range(LAYERS))
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Linear(width, width // 2), nn.ReLU(), nn.Dropout(DROPOUT),
                nn.Linear(width // 2, sum(len(criterion.levels) - 1 for criterion in task.criteria)),
            )
            for task in tasks.values()
        )  # fmt: skip

    def forward(self, tokens: Sequence[Tokens], task: Tensor) -> tuple[dict[int, Tensor], list[Tensor]]:
        """Task index -> (n of the task, labels) logits, in batch order, and gate weights (B, E) per layer."""
        ids, mask = (part.to(task.device) for part in pad(tokens, self._tokenizer.pad_id))
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]  # (B, D)
        gates = []
        for layer in self.layers:
            hidden, weights = layer(hidden, task)
            gates.append(weights)
        present = sorted(set(task.tolist()))
        return {index: self.heads[index](hidden[task == index]).float() for index in present}, gates

    def tokenize(self, rows: Sequence[LabelledResponse]) -> tuple[list[Tokens], list[int]]:
        """Tokens and task index of each row."""
        order = list(self.tasks)
        return self._tokenizer([row.text for row in rows]), [order.index(row.task_id) for row in rows]

    @torch.inference_mode()
    def predict(self, rows: Sequence[LabelledResponse]) -> list[dict[str, Prediction]]:
        """Levels: how many of a criterion's labels are likelier yes than no, as probabilities of levels."""
        self.eval()
        device = next(self.parameters()).device
        tokens, index = self.tokenize(rows)
        found: dict[tuple[str, str, str], np.ndarray] = {}
        for batch in plan_batches([len(row) for row in tokens], 4096):
            task = torch.tensor([index[at] for at in batch], device=device)
            logits, _ = self([tokens[at] for at in batch], task)
            for number, table in logits.items():
                places = [at for at in batch if index[at] == number]
                for at, values in zip(places, table.sigmoid().cpu().numpy(), strict=True):
                    found |= self._levels(rows[at], values)
        points = {
            task.id: {criterion.id: criterion.values for criterion in task.criteria} for task in self.tasks.values()
        }
        return predictions_from(rows, points, lambda row, key: found[row.task_id, row.response_id, key])

    def _levels(self, row: LabelledResponse, labels: np.ndarray) -> dict[tuple[str, str, str], np.ndarray]:
        distributions, at = {}, 0
        for criterion in self.tasks[row.task_id].criteria:
            yes = int((labels[at : at + len(criterion.levels) - 1] > 0.5).sum())
            distributions[row.task_id, row.response_id, criterion.id] = np.eye(len(criterion.levels))[yes]
            at += len(criterion.levels) - 1
        return distributions


def train_unimoe(
    tasks: Mapping[str, Task], splits: Splits, targets: Targets, checkpoints: Checkpoints, *, seed: int
) -> tuple[UniMoE, float]:
    """Train with the authors' schedule, stopping by mean QWK on dev; returns the best model and the seconds.

    A killed run loses at most an epoch.
    """
    torch.manual_seed(seed)
    device = choose_device()
    dtype = choose_precision("auto", device)
    model = UniMoE(tasks).to(device)
    plain_attention(model.encoder)
    tokens, index = model.tokenize(splits.train)
    rows = Rows(tokens, index, list(splits.train))
    hard, soft = _labels(model, splits.train, targets)
    steps = EPOCHS * -(-len(tokens) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, fused=True)
    rising = max(1, round(WARMUP * steps))

    def share_of_peak(step: int) -> float:
        return (step + 1) / rising if step < rising else max(0.0, (steps - step) / (steps - rising))

    best_state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    done: dict[str, Any] = {"epoch": 0, "step": 0, "seconds": 0.0, "best": -1.0, "waited": 0}
    kept = checkpoints.load()
    if kept is not None:
        tensors, done = kept
        model.load_state_dict(_part(tensors, "live."))
        best_state = _part(tensors, "best.")
        unpack_optimizer(optimizer, tensors)
        torch.set_rng_state(tensors["random"])
    while done["epoch"] < EPOCHS and done["waited"] < PATIENCE:
        started = time.monotonic()
        model.train()
        # The order of an epoch follows from its number, so that it need not be kept.
        batches = list(epoch_batches(rows, BATCH, random.Random(f"{seed} {done['epoch']}")))
        for batch in tqdm(batches, desc=f"unimoe, epoch {done['epoch'] + 1}", file=sys.stderr):
            task = torch.tensor([index[at] for at in batch], device=device)
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * share_of_peak(done["step"])
            with torch.autocast(device.type, dtype=dtype, enabled=dtype is torch.bfloat16):
                logits, gates = model([tokens[at] for at in batch], task)
            loss = _loss(logits, gates, task, batch, hard, soft)
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            done["step"] += 1
        kappa = _dev_kappa(model, splits.dev)
        if kappa > done["best"]:
            done |= {"best": kappa, "waited": 0}
            best_state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        else:
            done["waited"] += 1
        done |= {"epoch": done["epoch"] + 1, "seconds": done["seconds"] + time.monotonic() - started}
        tqdm.write(f"unimoe, epoch {done['epoch']}: dev QWK {kappa:.3f}, best {done['best']:.3f}", file=sys.stderr)
        tensors = {f"live.{name}": tensor for name, tensor in model.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in best_state.items()}
        checkpoints.save({**tensors, **pack_optimizer(optimizer), "random": torch.get_rng_state()}, done)
    model.load_state_dict(best_state)
    return model, done["seconds"]


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _labels(model: UniMoE, rows: Sequence[LabelledResponse], targets: Targets) -> tuple[list[Tensor], list[Tensor]]:
    """(labels,) yes/no per row, nan where nobody rated, and the teacher's probability of yes."""
    hard, soft = [], []
    for row in rows:
        yes: list[float] = []
        taught: list[float] = []
        for criterion in model.tasks[row.task_id].criteria:
            level = row.levels.get(criterion.id)
            opinion = targets.of(row.task_id, row.response_id, criterion.id)
            for place, value in enumerate(criterion.values[1:], 1):
                yes.append(float("nan") if level is None else float(level >= value))
                taught.append(float("nan") if opinion is None else float(opinion[place:].sum()))
        hard.append(torch.tensor(yes))
        soft.append(torch.tensor(taught))
    return hard, soft


def _loss(
    logits: Mapping[int, Tensor], gates: Sequence[Tensor], task: Tensor, batch: Sequence[int],
    hard: Sequence[Tensor], soft: Sequence[Tensor],
) -> Tensor:  # fmt: skip
    """Mean over the batch's tasks, as they take one task's part of a batch after the other."""
    losses = []
    for index, scores in logits.items():
        places = [at for at, number in zip(batch, task.tolist(), strict=True) if number == index]
        loss = _bce(scores, torch.stack([hard[at] for at in places]))
        # The student's side alone is softened, as in the released code.
        loss = loss + DISTIL_WEIGHT * _bce(scores / TEMPERATURE, torch.stack([soft[at] for at in places]))
        for weights in gates:
            use = weights[task == index].float().mean(0)
            loss = loss + BALANCE_WEIGHT * EXPERTS * use.square().sum()
        losses.append(loss)
    return torch.stack(losses).mean()


def _bce(scores: Tensor, wanted: Tensor) -> Tensor:
    wanted = wanted.to(scores.device)
    known = ~wanted.isnan()
    apart = functional.binary_cross_entropy_with_logits(scores, wanted.nan_to_num(), reduction="none")
    return (apart * known).sum() / known.sum().clamp(min=1)


def _dev_kappa(model: UniMoE, rows: Sequence[LabelledResponse]) -> float:
    predicted = model.predict(rows)
    kappas = []
    for task in model.tasks.values():
        for criterion in task.criteria:
            pairs = [
                (row.levels[criterion.id], found[criterion.id].level)
                for row, found in zip(rows, predicted, strict=True)
                if row.task_id == task.id and criterion.id in row.levels
            ]
            if pairs:
                kappas.append(quadratic_weighted_kappa(*zip(*pairs, strict=True)))
    return plain_mean(kappas)
