"""Fitting a student to labelled responses. The loop and nothing else: no files, no metrics of its own."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from scoring.domain import Task
from scoring.inference.hardware import choose_device, choose_precision
from scoring.itembank import LabelledResponse
from scoring.student.config import StudentConfig
from scoring.student.encoder import EncoderFiles, encoder_positions, encoder_width, load_encoder, plain_attention
from scoring.student.model import Student
from scoring.student.task_views import encode_task_views
from scoring.student.tokens import LENGTH_STEP, Tokenizer, Tokens, pad
from scoring.training.config import TrainConfig
from scoring.training.data import Splits
from scoring.training.development import Look, look, plain
from scoring.training.losses import UNLABELLED, LossParts, student_loss
from scoring.training.resume import Checkpoints, pack_optimizer, unpack_optimizer
from scoring.training.targets import Targets, require_complete

CHECKPOINT_EVERY_S = 60.0
"""Seconds of work that a kill may cost."""


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
    tokenizer: Tokenizer
    best_epoch: int
    best_dev_qwk: float
    seconds: float  # of all sittings together
    history: list[dict[str, Any]]  # one JSON-able record an epoch, those of earlier sittings too


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
    targets: Targets | None = None, checkpoints: Checkpoints | None = None, device: str = "auto",
    progress: bool = True,
) -> Trained:  # fmt: skip
    """Train one student on `splits.train`, stopping and selecting by mean QWK on `splits.dev`.

    With an empty dev split it trains for all epochs and keeps the last weights.

    Args:
        tasks: the tasks to learn; rows of others must not be in `splits`.
        splits: labelled rows; `splits.val` isn't looked at.
        files: the encoder.
        config: hyper-parameters.
        targets: a teacher's out-of-fold opinions on the training rows, to learn from besides people.
        checkpoints: where the state is kept now and then; a state found there is taken up, with the
            same result as a run that was never stopped.
        device: "auto", "cpu" or "cuda".
        progress: show a bar with the time left on standard error.

    Raises:
        InvalidInput: the targets leave out a labelled training row.
    """
    run = _Run(tasks, splits, files, config, targets, device)
    if checkpoints is not None:
        run.resume(checkpoints.load())
    with tqdm(
        total=run.total_steps, initial=run.step, desc="train", unit="step", file=sys.stderr, disable=not progress
    ) as bar:
        while not run.finished:
            saved = time.monotonic()
            for _ in run.epoch():
                bar.update()
                if checkpoints is not None and time.monotonic() - saved > CHECKPOINT_EVERY_S:
                    checkpoints.save(*run.state())
                    saved = time.monotonic()
            record = run.close_epoch()
            bar.set_postfix(epoch=record["epoch"], loss=record["loss_total"], dev_qwk=record["dev_qwk"])
            if checkpoints is not None:
                checkpoints.save(*run.state())
    return run.result()


def dev_look(trained: Trained, rows: list[LabelledResponse], config: TrainConfig, *, device: str = "auto") -> Look:
    """What a finished student says about labelled rows, in the number format it was trained in."""
    chosen = choose_device(device)
    dtype = choose_precision(config.precision, chosen)
    found = _tokenized(rows, trained.student.config, trained.tokenizer)
    looked = look(
        trained.student.to(chosen).eval(), found.tokens, found.task_index, rows, pad_id=trained.tokenizer.pad_id,
        device=chosen, autocast=dtype if dtype is torch.bfloat16 else None,
    )  # fmt: skip
    trained.student.cpu()
    return looked


class _Run:
    """A training in progress. Its state is what `state` gives; all else follows from the arguments."""

    def __init__(
        self, tasks: Mapping[str, Task], splits: Splits, files: EncoderFiles, config: TrainConfig,
        targets: Targets | None, device: str,
    ) -> None:  # fmt: skip
        self._started = time.monotonic()
        self._config = config
        self._device = choose_device(device)
        dtype = choose_precision(config.precision, self._device)
        self._autocast = dtype if dtype is torch.bfloat16 else None
        self._student, self._tokenizer = build_student(tasks, files, config)
        self._student.to(self._device)
        plain_attention(self._student.encoder)
        self._rows, self._dev = (
            _tokenized(part, self._student.config, self._tokenizer) for part in (splits.train, splits.dev)
        )
        self._targets = targets if config.distil_weight else None
        if self._targets is not None:
            wanted = [(row.task_id, row.response_id, criterion) for row in splits.train for criterion in row.levels]
            require_complete(self._targets, wanted)
        self._steps_per_epoch = -(-len(self._rows) // config.batch_size)
        self.total_steps = config.epochs * self._steps_per_epoch
        self._optimizer, self._schedule = _optimizer(self._student, config, self.total_steps)
        self._average = WeightAverage(self._student, config.average)
        self._best = self._average.state()
        self._best_epoch, self._best_dev = 0, float("-inf")
        self._sums: dict[str, float] = {}
        self._earlier_seconds = 0.0
        self.step = 0
        self.history: list[dict[str, Any]] = []
        torch.manual_seed(config.seed)

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or patience has run out."""
        done = len(self.history)
        return done >= self._config.epochs or done - self._best_epoch >= self._config.patience

    def epoch(self) -> Iterator[None]:
        """The rest of the current epoch, one step at a time."""
        # The order of an epoch follows from its number, so that it need not be kept.
        generator = random.Random(f"{self._config.seed} {len(self.history)}")
        batches = list(epoch_batches(self._rows, self._config.batch_size, generator))
        self._student.train()
        for batch in batches[self.step - len(self.history) * self._steps_per_epoch :]:
            parts = self._forward(batch)
            self._optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(parts.total)
            torch.nn.utils.clip_grad_norm_(self._student.parameters(), self._config.clip)
            self._optimizer.step()
            self._schedule.step()
            self._average.update()
            self.step += 1
            for name, value in parts._asdict().items():
                self._sums[name] = self._sums.get(name, 0.0) + value.item() / self._steps_per_epoch
            yield

    def close_epoch(self) -> dict[str, Any]:
        """Measure on dev, keep the best weights, and write down the epoch."""
        with self._average:
            found = look(
                self._student.eval(), self._dev.tokens, self._dev.task_index, self._dev.source,
                pad_id=self._tokenizer.pad_id, device=self._device, autocast=self._autocast,
            )  # fmt: skip
        epoch = len(self.history) + 1
        if not len(self._dev) or found.mean_qwk > self._best_dev:
            self._best, self._best_epoch, self._best_dev = self._average.state(), epoch, found.mean_qwk
        record = {
            "epoch": epoch,
            **{f"loss_{name}": round(value, 5) for name, value in self._sums.items()},
            "dev_qwk": plain(found.mean_qwk),
            "dev_qwk_by_task": {task: plain(kappa) for task, kappa in found.qwk.items()},
            "expert_use_by_task": found.expert_use,
            "learning_rate": self._schedule.get_last_lr()[-1],
            "seconds": round(self._seconds(), 1),
        }
        self.history.append(record)
        self._sums = {}
        return record

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that a later sitting needs."""
        live = {name: p.detach() for name, p in self._student.named_parameters() if p.requires_grad}
        tensors = {
            **{f"live.{name}": tensor for name, tensor in live.items()},
            **{f"mean.{name}": tensor for name, tensor in self._average.state().items()},
            **{f"best.{name}": tensor for name, tensor in self._best.items()},
            **pack_optimizer(self._optimizer),
            "random": torch.get_rng_state(),
        }
        if self._device.type == "cuda":
            tensors["random_cuda"] = torch.cuda.get_rng_state(self._device)
        values = {
            "step": self.step,
            "best_epoch": self._best_epoch,
            "best_dev": plain(self._best_dev, digits=None),
            "sums": self._sums,
            "history": self.history,
            "seconds": self._seconds(),
        }
        return tensors, values

    def resume(self, state: tuple[dict[str, Tensor], dict[str, Any]] | None) -> None:
        """Take up a state; None begins anew."""
        if state is None:
            return
        tensors, values = state

        def part(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}

        self._student.load_state_dict(part("live."), strict=False)
        self._average.restore(part("mean."), values["step"])
        self._best = part("best.")
        unpack_optimizer(self._optimizer, tensors)
        self.step, self._sums, self.history = values["step"], values["sums"], values["history"]
        self._best_epoch = values["best_epoch"]
        self._best_dev = float("-inf") if values["best_dev"] is None else values["best_dev"]
        self._earlier_seconds = values["seconds"]
        rates = [rate * self._schedule.lr_lambdas[0](self.step) for rate in self._schedule.base_lrs]
        self._schedule.load_state_dict({**self._schedule.state_dict(), "last_epoch": self.step, "_last_lr": rates})
        for group, rate in zip(self._optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        torch.set_rng_state(tensors["random"])
        if "random_cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random_cuda"], self._device)

    def result(self) -> Trained:
        """The student with the best weights."""
        self._student.load_state_dict(self._best, strict=False)
        return Trained(
            self._student.cpu().eval(), self._tokenizer, self._best_epoch, self._best_dev, self._seconds(),
            self.history,
        )  # fmt: skip

    def _forward(self, batch: list[int]) -> LossParts:
        rows, config = self._rows, self._config
        input_ids, mask = pad([rows.tokens[position] for position in batch], self._tokenizer.pad_id)
        task_index = torch.tensor([rows.task_index[position] for position in batch])
        source = [rows.source[position] for position in batch]
        labels = collate_labels(source, self._student.config, self._device)
        targets = None
        if self._targets is not None:
            targets = collate_targets(source, self._student.config, self._targets, self._device)
        with torch.autocast(self._device.type, dtype=self._autocast, enabled=self._autocast is not None):
            output = self._student(input_ids.to(self._device), mask.to(self._device), task_index.to(self._device))
        return student_loss(
            output, labels, targets, balance_weight=config.balance_weight, z_weight=config.z_weight,
            expected_weight=config.expected_weight, distil_weight=config.distil_weight,
            temperature=config.temperature,
        )  # fmt: skip

    def _seconds(self) -> float:
        return self._earlier_seconds + time.monotonic() - self._started


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
    def restore(self, mean: Mapping[str, Tensor], steps: int) -> None:
        """Go on from an average that `state` gave after so many steps."""
        self._steps = steps
        for name, tensor in self._mean.items():
            tensor.copy_(mean[name])

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


def collate_targets(
    source: Sequence[LabelledResponse], config: StudentConfig, targets: Targets, device: torch.device
) -> dict[tuple[str, str], Tensor]:
    """(task id, criterion id) -> (n of the task, L) the teacher's probabilities in batch order, nan where none."""
    tables: dict[tuple[str, str], list[Sequence[float]]] = {}
    for row in source:
        for criterion_id, values in config.tasks[row.task_id].items():
            opinion = targets.opinions.get((row.task_id, row.response_id, criterion_id))
            blank = (float("nan"),) * len(values)
            tables.setdefault((row.task_id, criterion_id), []).append(opinion.probabilities if opinion else blank)
    return {key: torch.tensor(values, device=device) for key, values in tables.items()}


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
