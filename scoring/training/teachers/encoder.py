"""A larger encoder, fine-tuned across tasks or one per task, with one linear head per criterion.

Its lower blocks stay as they were pretrained, so what they say of each response is computed once
and kept; every epoch then runs the upper blocks alone, which halves the time.
"""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from scoring.domain import Task
from scoring.errors import InvalidInput
from scoring.inference.batching import plan_batches
from scoring.inference.hardware import choose_device, choose_precision
from scoring.itembank import LabelledResponse
from scoring.student.encoder import encoder_positions, encoder_width, load_encoder, locate_encoder, plain_attention
from scoring.student.pooling import masked_mean
from scoring.student.tokens import Tokenizer, Tokens, pad, padded_length
from scoring.training.teachers.teacher import Key, Probabilities, level_targets

TOKEN_BUDGET = 4096
"""Tokens per batch without gradients."""


@dataclass(frozen=True)
class EncoderTeacher:
    """Hyper-parameters of a fine-tuned encoder."""

    encoder: str  # "minilm", a local folder or a hub name
    encoder_sha256: str  # of its weights: what was pretrained, wherever it lies
    per_task: bool = False  # one model per task instead of one for all
    frozen_blocks: int = 6  # lower blocks that keep their pretrained weights
    epochs: int = 4
    batch_size: int = 16
    lr: float = 5e-5  # peak learning rate of the encoder's upper blocks
    lr_head: float = 1e-3  # peak learning rate of the heads
    weight_decay: float = 0.01
    warmup: float = 0.1  # share of the steps
    dropout: float = 0.1  # before the heads
    expected_weight: float = 1.0  # weight of the squared error of the expected level, in units of its range
    second_weight: float = 0.3  # share of the second rating in the target, where there is one
    max_tokens: int = 256
    name: str = "encoder"

    def to_json(self) -> dict[str, Any]:
        """All values but where the encoder lies."""
        return {key: value for key, value in asdict(self).items() if key != "encoder"}

    def fit(
        self, tasks: Mapping[str, Task], rows: Sequence[LabelledResponse], *, seed: int, device: str = "auto",
        progress: bool = True,
    ) -> FittedEncoder:  # fmt: skip
        """Fine-tune on labelled rows.

        Raises:
            InvalidInput: the encoder has no blocks that could be frozen where `frozen_blocks` asks for it.
            ModelUnavailable: the encoder can't be loaded, or isn't the one that was meant.
        """
        groups = [{task_id: task} for task_id, task in tasks.items()] if self.per_task else [dict(tasks)]
        models: dict[str, _Model] = {}
        for group in groups:
            model = _Model(self, group, choose_device(device), seed)
            model.fit([row for row in rows if row.task_id in group], seed, progress)
            models.update(dict.fromkeys(group, model))
        return FittedEncoder(models)


class FittedEncoder:
    """One fine-tuned model per task, or the same for all."""

    def __init__(self, models: Mapping[str, _Model]) -> None:
        self._models = models

    def predict_proba(self, task_id: str, rows: Sequence[LabelledResponse]) -> Probabilities:
        """Criterion id -> (n, L)."""
        return self._models[task_id].predict(task_id, [row.text for row in rows])

    def parameters(self) -> int:
        """How many weights all models have together."""
        distinct = {id(model): model for model in self._models.values()}
        return sum(model.parameters() for model in distinct.values())


class PassThrough(nn.Module):
    """In the place of an encoder's embeddings: hands on what the lower blocks computed."""

    def forward(self, *_: Any, inputs_embeds: Tensor, **__: Any) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        return inputs_embeds


def split_encoder(encoder: nn.Module, blocks: int) -> tuple[nn.Module, nn.Module]:
    """The encoder cut in two: embeddings and lower blocks, and the upper blocks, which take `inputs_embeds`.

    Raises:
        InvalidInput: its blocks aren't where BERT-like models have them, or there aren't as many.
    """
    upper, lower = copy.deepcopy(encoder), encoder
    try:
        count = len(encoder.get_submodule("encoder").get_submodule("layer"))  # type: ignore[arg-type]
    except AttributeError:
        raise InvalidInput("frozen_blocks: this encoder has no list of blocks at encoder.layer; set it to 0") from None
    if blocks >= count:
        raise InvalidInput(f"frozen_blocks: {blocks} leaves nothing to train, the encoder has {count}")
    for part, keep in ((lower, slice(0, blocks)), (upper, slice(blocks, None))):
        inner: Any = part.get_submodule("encoder")
        inner.layer = inner.layer[keep]
    upper.set_submodule("embeddings", PassThrough())
    return lower, upper


class _Model:
    def __init__(self, config: EncoderTeacher, tasks: Mapping[str, Task], device: torch.device, seed: int) -> None:
        torch.manual_seed(seed)
        files = locate_encoder(config.encoder)
        encoder = load_encoder(files)
        self.config, self.tasks, self.device = config, tasks, device
        dtype = choose_precision("auto", device)
        self._autocast = dtype if dtype is torch.bfloat16 else None
        self._tokenizer = Tokenizer(files, min(config.max_tokens, encoder_positions(encoder)))
        self._slices: dict[Key, slice] = {}
        for task in tasks.values():
            for criterion in task.criteria:
                start = max((part.stop for part in self._slices.values()), default=0)
                self._slices[task.id, criterion.id] = slice(start, start + len(criterion.levels))
        self._lower: nn.Module | None = None
        self._upper = encoder
        if config.frozen_blocks:
            self._lower, self._upper = split_encoder(encoder, config.frozen_blocks)
            self._lower.to(device).requires_grad_(False)
        self._upper.to(device)
        plain_attention(self._upper)
        self._head = nn.Linear(encoder_width(encoder), max(part.stop for part in self._slices.values())).to(device)
        nn.init.normal_(self._head.weight, std=0.02)
        nn.init.zeros_(self._head.bias)
        self._dropout = nn.Dropout(config.dropout)

    def parameters(self) -> int:
        parts = [part for part in (self._lower, self._upper, self._head) if part is not None]
        return sum(weight.numel() for part in parts for weight in part.parameters())

    def fit(self, rows: Sequence[LabelledResponse], seed: int, progress: bool) -> None:
        tokens = self._tokenizer([row.text for row in rows])
        inputs = self._below(tokens, progress)
        targets = self._targets(rows)
        total = self.config.epochs * -(-len(rows) // self.config.batch_size)
        optimizer, schedule = self._optimizer(total)
        generator = random.Random(seed)
        self._upper.train()
        with tqdm(total=total, desc="teacher", unit="step", file=sys.stderr, disable=not progress) as bar:
            for epoch in range(1, self.config.epochs + 1):
                seen = 0.0
                batches = _batches(tokens, self.config.batch_size, generator)
                for batch in batches:
                    logits = self._logits([tokens[at] for at in batch], [inputs[at] for at in batch])
                    loss = self._loss(logits, batch, targets)
                    optimizer.zero_grad(set_to_none=True)
                    torch.autograd.backward(loss)
                    torch.nn.utils.clip_grad_norm_([*self._upper.parameters(), *self._head.parameters()], 1.0)
                    optimizer.step()
                    schedule.step()
                    seen += loss.item() / len(batches)
                    bar.update()
                bar.set_postfix(epoch=epoch, loss=f"{seen:.3f}")
        self._upper.eval()

    @torch.inference_mode()
    def predict(self, task_id: str, texts: Sequence[str]) -> Probabilities:
        tokens = self._tokenizer(texts)
        table = np.zeros((len(texts), self._head.out_features))
        self._upper.eval()
        for batch in plan_batches([len(row) for row in tokens], TOKEN_BUDGET):
            part = [tokens[at] for at in batch]
            logits = self._logits(part, self._below(part, progress=False))
            table[batch] = logits.double().cpu().numpy()
        wide = {key[1]: table[:, place] for key, place in self._slices.items() if key[0] == task_id}
        return {criterion: _softmax(logits) for criterion, logits in wide.items()}

    @torch.inference_mode()
    def _below(self, tokens: Sequence[Tokens], progress: bool) -> list[Tensor]:
        """What the lower blocks make of each response, (T_i, D) in bf16; nothing where none are frozen."""
        if self._lower is None:
            return [torch.empty(0)] * len(tokens)
        kept: dict[int, Tensor] = {}
        with tqdm(total=len(tokens), desc="lower blocks", file=sys.stderr, disable=not progress) as bar:
            for batch in plan_batches([len(row) for row in tokens], TOKEN_BUDGET):
                ids, mask = (part.to(self.device) for part in pad([tokens[at] for at in batch], self._tokenizer.pad_id))
                with torch.autocast(self.device.type, dtype=self._autocast, enabled=self._autocast is not None):
                    states = self._lower(input_ids=ids, attention_mask=mask).last_hidden_state.to(torch.bfloat16)
                for at, row in zip(batch, states, strict=True):
                    kept[at] = row[: len(tokens[at])].cpu().clone()
                bar.update(len(batch))
        return [kept[at] for at in range(len(tokens))]

    def _logits(self, tokens: Sequence[Tokens], inputs: Sequence[Tensor]) -> Tensor:
        ids, mask = (part.to(self.device) for part in pad(tokens, self._tokenizer.pad_id))
        given: dict[str, Tensor] = {"input_ids": ids}
        if self._lower is not None:
            length = padded_length(max(len(row) for row in tokens))
            states = torch.zeros(len(tokens), length, inputs[0].shape[-1])  # (B, T, D)
            for at, row in enumerate(inputs):
                states[at, : len(row)] = row
            given = {"inputs_embeds": states.to(self.device)}
        with torch.autocast(self.device.type, dtype=self._autocast, enabled=self._autocast is not None):
            states = self._upper(**given, attention_mask=mask).last_hidden_state
        pooled = masked_mean(states.float(), mask)
        logits: Tensor = self._head(self._dropout(pooled) if self._upper.training else pooled)
        return logits

    def _targets(self, rows: Sequence[LabelledResponse]) -> Tensor:
        """(n, all levels of all criteria): distributions in the row's own slices, nan elsewhere."""
        table = np.full((len(rows), self._head.out_features), np.nan)
        for task_id, task in self.tasks.items():
            places = [at for at, row in enumerate(rows) if row.task_id == task_id]
            of_task = level_targets(task, [rows[at] for at in places], second_weight=self.config.second_weight)
            for criterion_id, values in of_task.items():
                table[places, self._slices[task_id, criterion_id]] = values
        return torch.tensor(table, dtype=torch.float32, device=self.device)

    def _loss(self, logits: Tensor, batch: Sequence[int], targets: Tensor) -> Tensor:
        """Cross-entropy with the raters' distribution plus squared error of the expected level; mean over labels."""
        wanted = targets[list(batch)]
        loss, labels = logits.new_zeros(()), 0
        for place in self._slices.values():
            known = ~wanted[:, place.start].isnan()
            if not known.any():
                continue
            target, scores = wanted[known, place], logits[known, place].float()
            points = torch.linspace(0, 1, scores.shape[-1], device=scores.device)
            apart = (scores.softmax(-1) - target) @ points
            loss = loss - (target * scores.log_softmax(-1)).sum() + self.config.expected_weight * apart.square().sum()
            labels += len(target)
        return loss / max(1, labels)

    def _optimizer(self, steps: int) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
        plain = [weight for weight in self._upper.parameters() if weight.requires_grad and weight.ndim < 2]
        decayed = [weight for weight in self._upper.parameters() if weight.requires_grad and weight.ndim > 1]
        optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "lr": self.config.lr, "weight_decay": self.config.weight_decay},
                {"params": plain, "lr": self.config.lr, "weight_decay": 0.0},
                {"params": self._head.parameters(), "lr": self.config.lr_head, "weight_decay": 0.0},
            ],
            fused=True,
        )
        rising = max(1, round(self.config.warmup * steps))

        def share(step: int) -> float:
            return (step + 1) / rising if step < rising else max(0.0, (steps - step) / max(1, steps - rising))

        return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, share)


def _batches(tokens: Sequence[Tokens], size: int, generator: random.Random) -> list[list[int]]:
    """Every row once, in batches of similar length, in random order."""
    order = list(range(len(tokens)))
    generator.shuffle(order)
    batches: list[list[int]] = []
    for start in range(0, len(order), size * 32):
        near = sorted(order[start : start + size * 32], key=lambda at: len(tokens[at]))
        batches.extend(near[at : at + size] for at in range(0, len(near), size))
    generator.shuffle(batches)
    return batches


def _softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    exact: np.ndarray = shifted / shifted.sum(-1, keepdims=True)
    return exact
