"""Fitting a student to labelled responses. The loop and nothing else: no files, no metrics of its own."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from scoring.domain import Task
from scoring.inference.hardware import choose_device, choose_precision
from scoring.itembank import LabelledResponse
from scoring.student.config import StudentConfig
from scoring.student.encoder import EncoderFiles, encoder_positions, encoder_width, load_encoder
from scoring.student.model import Student
from scoring.student.task_views import encode_task_views
from scoring.student.tokens import LENGTH_STEP, Tokenizer, Tokens, pad
from scoring.training.config import TrainConfig
from scoring.training.data import Splits
from scoring.training.evaluation import mean_dev_kappa
from scoring.training.losses import UNLABELLED, LossParts, student_loss

EVALUATION_BUDGET = 8192
"""Tokens per batch when the dev rows are scored between epochs."""


@dataclass(frozen=True)
class Rows:
    """Tokenized labelled responses, ready to be batched."""

    tokens: list[Tokens]
    task_index: list[int]
    source: list[LabelledResponse]

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True)
class Trained:
    """The best student of a run, in fp32 on the CPU, and how it came about."""

    student: Student
    best_epoch: int
    best_dev_qwk: float
    seconds: float
    history: list[dict[str, Any]]


def build_student(tasks: Mapping[str, Task], files: EncoderFiles, config: TrainConfig) -> tuple[Student, Tokenizer]:
    """An untrained student for these tasks, and the tokenizer that goes with it.

    Raises:
        InvalidInput: an architecture value doesn't fit the encoder; the message names the field.
        ModelUnavailable: the encoder can't be loaded.
    """
    torch.manual_seed(config.seed)
    encoder = load_encoder(files)
    values: dict[str, Any] = {
        "encoder": files.name,
        "encoder_sha256": files.sha256,
        "width": encoder_width(encoder),
        "tasks": {task.id: task.scoring_shape() for task in tasks.values()},
        **config.student,
    }
    # Rows are padded to whole steps, which must still have positions.
    longest = encoder_positions(encoder) // LENGTH_STEP * LENGTH_STEP
    values["max_tokens"] = min(int(values.get("max_tokens", StudentConfig.max_tokens)), longest)
    student_config = StudentConfig.from_json(values)
    tokenizer = Tokenizer(files, student_config.max_tokens)
    views = encode_task_views(encoder, tokenizer, tasks.values())
    student = Student(student_config, encoder)
    student.task_embedding.views.copy_(views)
    return student, tokenizer


def train(
    tasks: Mapping[str, Task], splits: Splits, files: EncoderFiles, config: TrainConfig, *,
    device: str = "auto", on_epoch: Callable[[dict[str, Any]], None] | None = None, progress: bool = True,
) -> Trained:  # fmt: skip
    """Train one student on `splits.train`, stopping and selecting by mean QWK on `splits.dev`.

    With an empty dev split it trains for all epochs and keeps the last weights.

    Args:
        tasks: the tasks to learn; rows of others must not be in `splits`.
        splits: labelled rows; `splits.val` isn't looked at.
        files: the encoder.
        config: hyper-parameters.
        device: "auto", "cpu" or "cuda".
        on_epoch: called with one JSON-able record after each epoch.
        progress: show a bar with the time left on standard error.
    """
    started = time.monotonic()
    chosen = choose_device(device)
    dtype = choose_precision(config.precision, chosen)
    autocast = dtype if dtype is torch.bfloat16 else None
    student, tokenizer = build_student(tasks, files, config)
    student.to(chosen)
    rows, dev = (_tokenized(part, student.config, tokenizer) for part in (splits.train, splits.dev))
    steps = config.epochs * -(-len(rows) // config.batch_size)
    optimizer, schedule = _optimizer(student, config, steps)
    average = WeightAverage(student, config.average)
    generator = random.Random(config.seed)
    best_state = average.state()
    best_epoch, best_dev = 0, float("-inf")
    history: list[dict[str, Any]] = []
    with tqdm(total=steps, desc="train", unit="step", file=sys.stderr, disable=not progress) as bar:
        for epoch in range(1, config.epochs + 1):
            student.train()
            sums: dict[str, float] = {}
            batches = list(epoch_batches(rows, config.batch_size, generator))
            for batch in batches:
                parts = _step(student, rows, batch, tokenizer.pad_id, chosen, autocast, config)
                optimizer.zero_grad(set_to_none=True)
                torch.autograd.backward(parts.total)
                torch.nn.utils.clip_grad_norm_(student.parameters(), config.clip)
                optimizer.step()
                schedule.step()
                average.update()
                for name, value in parts._asdict().items():
                    sums[name] = sums.get(name, 0.0) + value.item() / len(batches)
                bar.update()
            with average:
                dev_qwk = mean_dev_kappa(
                    student.eval(), dev.tokens, dev.task_index, dev.source, pad_id=tokenizer.pad_id,
                    token_budget=EVALUATION_BUDGET, device=chosen, autocast=autocast,
                )  # fmt: skip
            better = not len(dev) or dev_qwk > best_dev
            if better:
                best_state, best_epoch, best_dev = average.state(), epoch, dev_qwk
            record = {
                "epoch": epoch,
                **{f"loss_{name}": round(value, 5) for name, value in sums.items()},
                "dev_qwk": None if dev_qwk != dev_qwk else round(dev_qwk, 5),
                "learning_rate": schedule.get_last_lr()[-1],
                "seconds": round(time.monotonic() - started, 1),
            }
            history.append(record)
            if on_epoch:
                on_epoch(record)
            bar.set_postfix(epoch=epoch, loss=f"{sums['total']:.3f}", dev_qwk=f"{dev_qwk:.3f}")
            if epoch - best_epoch >= config.patience:
                break
    student.load_state_dict(best_state, strict=False)
    return Trained(student.cpu().eval(), best_epoch, best_dev, time.monotonic() - started, history)


class WeightAverage:
    """Exponential average of the trained weights; inside a `with` block the student carries it.

    On few rows the average is steadier than any one step's weights. With decay 0 it is the last
    weights themselves.
    """

    def __init__(self, student: Student, decay: float) -> None:
        self._live = {name: p for name, p in student.named_parameters() if p.requires_grad}
        self._decay = decay
        self._steps = 0
        self._mean = {name: p.detach().clone() for name, p in self._live.items()}
        self._kept: dict[str, Tensor] = {}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step; early steps count more, so that the start is forgotten."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps)) if self._decay else 0.0
        for name, parameter in self._live.items():
            self._mean[name].lerp_(parameter, 1 - decay)

    def state(self) -> dict[str, Tensor]:
        """A copy of the averaged weights by name."""
        return {name: mean.clone() for name, mean in self._mean.items()}

    @torch.no_grad()
    def __enter__(self) -> None:
        self._kept = {name: p.detach().clone() for name, p in self._live.items()}
        for name, parameter in self._live.items():
            parameter.copy_(self._mean[name])

    @torch.no_grad()
    def __exit__(self, *_: object) -> None:
        for name, parameter in self._live.items():
            parameter.copy_(self._kept[name])


def epoch_batches(rows: Rows, batch_size: int, generator: random.Random) -> Iterator[list[int]]:
    """Every row once, in mixed-task batches of similar length, in random order."""
    order = list(range(len(rows)))
    generator.shuffle(order)
    window = batch_size * 32
    batches: list[list[int]] = []
    for start in range(0, len(order), window):
        near = sorted(order[start : start + window], key=lambda position: len(rows.tokens[position]))
        batches.extend(near[at : at + batch_size] for at in range(0, len(near), batch_size))
    generator.shuffle(batches)
    yield from batches


def collate_labels(
    source: Sequence[LabelledResponse], config: StudentConfig, device: torch.device
) -> dict[tuple[str, str], Tensor]:
    """(task id, criterion id) -> (n of the task,) level indices in batch order, `UNLABELLED` where missing."""
    labels: dict[tuple[str, str], list[int]] = {}
    for row in source:
        for criterion_id, values in config.tasks[row.task_id].items():
            level = row.levels.get(criterion_id)
            index = UNLABELLED if level is None else level - values[0]
            labels.setdefault((row.task_id, criterion_id), []).append(index)
    return {key: torch.tensor(values, device=device) for key, values in labels.items()}


def _step(
    student: Student, rows: Rows, batch: list[int], pad_id: int, device: torch.device,
    autocast: torch.dtype | None, config: TrainConfig,
) -> LossParts:  # fmt: skip
    input_ids, mask = pad([rows.tokens[position] for position in batch], pad_id)
    task_index = torch.tensor([rows.task_index[position] for position in batch])
    labels = collate_labels([rows.source[position] for position in batch], student.config, device)
    with torch.autocast(device.type, dtype=autocast, enabled=autocast is not None):
        output = student(input_ids.to(device), mask.to(device), task_index.to(device))
    return student_loss(
        output, labels, balance_weight=config.balance_weight, z_weight=config.z_weight,
        expected_weight=config.expected_weight,
    )  # fmt: skip


def _tokenized(source: list[LabelledResponse], config: StudentConfig, tokenizer: Tokenizer) -> Rows:
    return Rows(
        tokens=tokenizer([row.text for row in source]),
        task_index=[config.task_ids.index(row.task_id) for row in source],
        source=source,
    )


def _optimizer(
    student: Student, config: TrainConfig, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
    """AdamW with one learning rate for the deltas and one for the new parts; biases and norms don't decay."""
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in student.named_parameters():
        if parameter.requires_grad:
            rate = config.lr_lora if ".delta." in name else config.lr_new
            decay = config.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    optimizer = torch.optim.AdamW(
        [{"params": params, "lr": rate, "weight_decay": decay} for (rate, decay), params in groups.items()]
    )
    rising = max(1, round(config.warmup * steps))

    def share_of_peak(step: int) -> float:
        return (step + 1) / rising if step < rising else max(0.0, (steps - step) / max(1, steps - rising))

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, share_of_peak)
