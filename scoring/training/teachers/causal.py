"""A causal language model with low-rank adapters that reads question, rubric and answer and says a score.

Its opinion is the distribution over the tokens that name the criterion's levels, right after
"Score:" (as in UniMoE-Guided's teacher, arXiv 2511.17601, but a distribution instead of one label).
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

from scoring.domain import Task
from scoring.errors import InvalidInput, ModelUnavailable
from scoring.inference.batching import plan_batches
from scoring.inference.hardware import choose_device
from scoring.itembank import LabelledResponse
from scoring.student.tokens import Tokens
from scoring.training.teachers.reader import Reader, locate_causal
from scoring.training.teachers.teacher import Probabilities, level_targets


@dataclass(frozen=True)
class CausalTeacher:
    """Hyper-parameters of an adapted causal language model."""

    model: str  # a local folder or a hub name
    model_sha256: str  # of its weights: what was pretrained, wherever it lies
    per_task: bool = False  # adapters per task instead of one set for all; the base model is shared
    rank: int = 16  # of the adapters
    alpha: float = 32.0  # scale of the adapters, over the rank
    modules: tuple[str, ...] = ()  # last names of the adapted layers; all linear layers but the output when empty
    epochs: int = 2
    batch_size: int = 16  # prompts per step
    rows_per_pass: int = 4  # of them at a time; the gradient is accumulated over a step
    lr: float = 2e-4  # peak learning rate
    warmup: float = 0.05  # share of the steps
    clip: float = 1.0  # largest norm of the gradient
    expected_weight: float = 1.0  # weight of the squared error of the expected level, in units of its range
    second_weight: float = 0.3  # share of the second rating in the target, where there is one
    checkpointing: bool = False  # compute activations again in the backward pass: less memory, a third more time
    max_tokens: int = 768  # of a prompt
    token_budget: int = 8192  # tokens per batch without gradients
    name: str = "causal"

    def __post_init__(self) -> None:
        object.__setattr__(self, "modules", tuple(self.modules))
        for name in ("rank", "epochs", "batch_size", "rows_per_pass", "max_tokens", "token_budget"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise InvalidInput(f"{name}: {value!r} is not a whole number of at least 1")

    def to_json(self) -> dict[str, Any]:
        """All values but where the model lies and how its work is divided."""
        leave_out = ("model", "rows_per_pass", "checkpointing", "token_budget")
        return {key: value for key, value in asdict(self).items() if key not in leave_out}

    def fit(
        self, tasks: Mapping[str, Task], rows: Sequence[LabelledResponse], *, seed: int, device: str = "auto",
        progress: bool = True,
    ) -> FittedCausal:  # fmt: skip
        """Train adapters on labelled rows.

        Raises:
            InvalidInput: the model has no linear layers to adapt, or not those asked for.
            ModelUnavailable: the model can't be loaded, or isn't the one that was meant.
        """
        files = locate_causal(self.model)
        if files.sha256 != self.model_sha256:
            raise ModelUnavailable(f"{self.model}: weights are {files.sha256[:12]}, not {self.model_sha256[:12]}")
        torch.manual_seed(seed)
        reader = Reader(
            files, choose_device(device), modules=self.modules, rank=self.rank, alpha=self.alpha,
            max_tokens=self.max_tokens, checkpointing=self.checkpointing,
        )  # fmt: skip
        untrained = reader.adapters()
        trained: dict[str, Mapping[str, Tensor]] = {}
        for group in [[task_id] for task_id in tasks] if self.per_task else [list(tasks)]:
            reader.load_adapters(untrained)
            of_group = {task_id: tasks[task_id] for task_id in group}
            _train(self, reader, _examples(reader, of_group, rows, self.second_weight), seed, progress)
            trained.update(dict.fromkeys(group, reader.adapters()))
        return FittedCausal(reader, tasks, trained, self.token_budget)


class FittedCausal:
    """One base model and the adapters of each task, which may be the same for all."""

    def __init__(
        self, reader: Reader, tasks: Mapping[str, Task], trained: Mapping[str, Mapping[str, Tensor]], token_budget: int
    ) -> None:
        self._reader, self._tasks, self._trained, self._token_budget = reader, tasks, trained, token_budget

    def predict_proba(self, task_id: str, rows: Sequence[LabelledResponse]) -> Probabilities:
        """Criterion id -> (n, L)."""
        self._reader.load_adapters(self._trained[task_id])
        task, prompter = self._tasks[task_id], self._reader.prompter
        found: Probabilities = {}
        for criterion in task.criteria:
            level_tokens = prompter.verbalizer(criterion).tokens
            prompts = [prompter(task, criterion, row.text) for row in rows]
            table = np.zeros((len(rows), len(level_tokens)))
            with torch.inference_mode():
                for batch in plan_batches([len(prompt) for prompt in prompts], self._token_budget):
                    logits = self._reader([prompts[at] for at in batch], [level_tokens] * len(batch))
                    table[batch] = logits.softmax(-1).double().cpu().numpy()
            found[criterion.id] = table
        return found

    def parameters(self) -> int:
        """How many weights the base model and all adapters have together."""
        distinct = {id(adapters): adapters for adapters in self._trained.values()}
        added = sum(weight.numel() for adapters in distinct.values() for weight in adapters.values())
        return self._reader.base_parameters + added


@dataclass(frozen=True)
class _Example:
    prompt: Tokens
    level_tokens: tuple[int, ...]
    target: tuple[float, ...]  # (L,) what people said


def _examples(
    reader: Reader, tasks: Mapping[str, Task], rows: Sequence[LabelledResponse], second_weight: float
) -> list[_Example]:
    found = []
    for task in tasks.values():
        own = [row for row in rows if row.task_id == task.id]
        targets = level_targets(task, own, second_weight=second_weight)
        for criterion in task.criteria:
            level_tokens = reader.prompter.verbalizer(criterion).tokens
            for row, target in zip(own, targets[criterion.id], strict=True):
                if not np.isnan(target[0]):
                    prompt = reader.prompter(task, criterion, row.text)
                    found.append(_Example(prompt, level_tokens, tuple(target.tolist())))
    return found


def _train(config: CausalTeacher, reader: Reader, examples: Sequence[_Example], seed: int, progress: bool) -> None:
    order, generator = list(range(len(examples))), random.Random(seed)
    weights = [weight for weight in reader.model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=config.lr, weight_decay=0.0)
    total = config.epochs * -(-len(order) // config.batch_size)
    rising = max(1, round(config.warmup * total))
    schedule = LambdaLR(optimizer, lambda at: min((at + 1) / rising, (total - at) / max(1, total - rising)))
    reader.model.train()
    with tqdm(total=total, desc="teacher", unit="step", file=sys.stderr, disable=not progress) as bar:
        for _ in range(config.epochs):
            generator.shuffle(order)
            for start in range(0, len(order), config.batch_size):
                # Prompts of similar length go through together.
                step = sorted(order[start : start + config.batch_size], key=lambda at: len(examples[at].prompt))
                optimizer.zero_grad(set_to_none=True)
                seen = 0.0
                for first in range(0, len(step), config.rows_per_pass):
                    part = [examples[at] for at in step[first : first + config.rows_per_pass]]
                    loss = _loss(reader, part, config.expected_weight).sum() / len(step)
                    torch.autograd.backward(loss)
                    seen += loss.item()
                torch.nn.utils.clip_grad_norm_(weights, config.clip)
                optimizer.step()
                schedule.step()
                bar.update()
                bar.set_postfix(loss=f"{seen:.3f}")
    reader.model.eval()


def _loss(reader: Reader, examples: Sequence[_Example], expected_weight: float) -> Tensor:
    """(B,) cross-entropy with the raters' distribution plus the squared error of the expected level."""
    logits = reader([example.prompt for example in examples], [example.level_tokens for example in examples])
    losses = []
    for row, example in zip(logits, examples, strict=True):
        target = torch.tensor(example.target, device=row.device)  # (L,)
        said = row[: len(target)]
        apart = (said.softmax(-1) - target) @ torch.linspace(0, 1, len(target), device=row.device)
        losses.append(expected_weight * apart.square() - (target * said.log_softmax(-1)).sum())
    return torch.stack(losses)
