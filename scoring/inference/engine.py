"""Scoring texts with one student version: fast, in order, and the same every time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from scoring.domain import CriterionScore, Task
from scoring.errors import InvalidInput
from scoring.inference.batching import run_batches
from scoring.inference.hardware import choose_device, choose_precision
from scoring.student import checkpoint
from scoring.student.calibration import Calibration, CriterionCalibration, calibrated_softmax, level_set
from scoring.student.encoder import MINILM, locate_encoder
from scoring.student.model import Student, StudentOutput
from scoring.student.text import clean_text
from scoring.student.tokens import Tokenizer

TOKEN_BUDGET = {"cpu": 4096, "cuda": 65536}
"""Tokens in one batch, padding included."""
READING_BUDGET = {"cpu": 1024, "cuda": 65536}
"""The same for texts of very different lengths, as the shortened copies of one answer are: less padding."""

Progress = Callable[[int, int], None]
"""Called with (responses done, responses in all) after each batch."""


@dataclass(frozen=True)
class ResponseScore:
    """What the student says about one response."""

    criteria: tuple[CriterionScore, ...]  # in the order of the task's criteria
    gate_weights: tuple[tuple[float, ...], ...]  # one row a MoE layer asked, one weight an expert; rows sum to 1
    truncated: bool  # the text was longer than the student reads, and its end was ignored


@dataclass(frozen=True)
class Reading:
    """All that a student computes from N texts to one task."""

    log_probabilities: Mapping[str, np.ndarray]  # criterion id -> (N, L) over its levels, calibrated, fp64
    gate_weights: np.ndarray  # (N, layers asked, E)
    vectors: np.ndarray  # (N, D) responses as the task pools them, before the MoE layers
    truncated: np.ndarray  # (N,) bool


class Engine:
    """A student version ready to score. Load it with `Engine.load`; not for use by two threads at once."""

    def __init__(
        self,
        student: Student,
        tokenizer: Tokenizer,
        version_id: str,
        device: torch.device,
        precision: torch.dtype,
        calibration: Calibration | None = None,
    ) -> None:
        self._calibration = calibration or Calibration()
        self.version_id = version_id
        self.device = device
        self.precision = precision
        self.student = student.merge_adapters().to(device).eval()
        # Only the encoder is worth lowering: the rest is small and decides between levels.
        self.student.encoder.to(precision)
        self.tokenizer = tokenizer

    @classmethod
    def load(cls, student_dir: Path, *, encoder: str = MINILM, device: str = "auto", precision: str = "auto") -> Engine:
        """Load and check a version folder.

        Args:
            student_dir: a folder written by training.
            encoder: `"minilm"`, a local folder or a hub name; must be the one it was trained on.
            device: "auto", "cpu" or "cuda".
            precision: "auto", "fp32" or "bf16", of the encoder's computations.

        Raises:
            ModelUnavailable: student or encoder is missing, damaged, or doesn't fit the other.
        """
        files = locate_encoder(encoder)
        student, manifest = checkpoint.load(Path(student_dir), files)
        chosen = choose_device(device)
        return cls(
            student, Tokenizer(files, manifest.config.max_tokens), manifest.version_id, chosen,
            choose_precision(precision, chosen), manifest.calibration,
        )  # fmt: skip

    @property
    def tasks(self) -> Mapping[str, Mapping[str, tuple[int, ...]]]:
        """Task id -> criterion id -> score points this student can give."""
        return self.student.config.tasks

    def asks_experts(self, task_id: str) -> bool:
        """Whether the experts have a part in a task's scores; not where answers are compared with labelled ones."""
        config = self.student.config
        return config.moe_layers > 0 and task_id not in config.example_tasks

    def supports(self, task: Task) -> bool:
        """Whether this student was trained on a task with this id, these criteria and these levels."""
        known = self.tasks.get(task.id)
        return known is not None and {c: list(v) for c, v in known.items()} == task.scoring_shape()

    def score(
        self, task_id: str, texts: Sequence[str], *, on_progress: Progress | None = None,
        token_budget: int | None = None,
    ) -> list[ResponseScore]:  # fmt: skip
        """Score responses to one task, in the order given.

        Texts that are equal after cleaning are scored once. An empty text is scored like any other;
        whether it should be is the caller's decision. The same texts give the same scores; in bf16
        other company in the batch can move an expected score by about 0.005.

        Args:
            task_id: one of `tasks`.
            texts: (N,) original texts.
            on_progress: called after every batch with how many of the N are done.
            token_budget: tokens per batch; by default what suits the device.

        Returns:
            (N,) scores.

        Raises:
            InvalidInput: the student doesn't know the task; the message lists those it knows.
        """
        self._require(task_id)
        if token_budget is not None and token_budget < 1:
            raise InvalidInput(f"token_budget: {token_budget} is not a positive number of tokens")
        positions: dict[str, list[int]] = {}
        for position, text in enumerate(texts):
            positions.setdefault(clean_text(text), []).append(position)
        unique = list(positions)
        tokens = self.tokenizer(unique)
        scores: list[ResponseScore | None] = [None] * len(texts)
        done = 0
        for batch, output in run_batches(
            self.student, tokens, [self.task_index(task_id)] * len(unique), pad_id=self.tokenizer.pad_id,
            token_budget=token_budget or TOKEN_BUDGET[self.device.type], device=self.device,
        ):  # fmt: skip
            for row, score in zip(batch, self._read(task_id, output), strict=True):
                truncated = tokens[row].truncated
                for position in positions[unique[row]]:
                    scores[position] = ResponseScore(*score, truncated=truncated)
                    done += 1
            if on_progress:
                on_progress(done, len(texts))
        return [score for score in scores if score is not None]

    def read(self, task_id: str, texts: Sequence[str]) -> Reading:
        """Everything the student computes from texts, for explanations; every text is computed as it is given.

        Raises:
            InvalidInput: the student doesn't know the task.
        """
        self._require(task_id)
        tokens = self.tokenizer(texts)
        config = self.student.config
        log_probabilities = {c: np.zeros((len(texts), len(v))) for c, v in self.tasks[task_id].items()}
        layers = config.moe_layers if self.asks_experts(task_id) else 0
        gates = np.zeros((len(texts), layers, config.experts))
        vectors = np.zeros((len(texts), config.width))
        for batch, output in run_batches(
            self.student, tokens, [self.task_index(task_id)] * len(texts), pad_id=self.tokenizer.pad_id,
            token_budget=READING_BUDGET[self.device.type], device=self.device,
        ):  # fmt: skip
            for criterion_id, table in log_probabilities.items():
                logits = output.logits[task_id, criterion_id].double() / self.temperature(task_id, criterion_id)
                table[batch] = logits.log_softmax(-1).cpu().numpy()
            gates[batch] = output.gate_weights[:, :layers].double().cpu().numpy()
            vectors[batch] = output.vectors.double().cpu().numpy()
        return Reading(log_probabilities, gates, vectors, np.array([row.truncated for row in tokens], dtype=bool))

    def task_index(self, task_id: str) -> int:
        """The position of a task in the model."""
        return list(self.tasks).index(task_id)

    def temperature(self, task_id: str, criterion_id: str) -> float:
        """What a criterion's logits are divided by before they are read as probabilities."""
        calibration = self._calibration.criteria.get((task_id, criterion_id))
        return calibration.temperature if calibration else 1.0

    def level(self, task_id: str, criterion_id: str, expected: float) -> int:
        """The level that an expected score in points becomes."""
        values = self.tasks[task_id][criterion_id]
        calibration = self._calibration.criteria.get((task_id, criterion_id)) or CriterionCalibration()
        return values[0] + calibration.level(expected - values[0], len(values))

    def _require(self, task_id: str) -> None:
        if task_id not in self.tasks:
            raise InvalidInput(f"task {task_id!r} is unknown to this student; it knows {', '.join(self.tasks)}")

    def _read(
        self, task_id: str, output: StudentOutput
    ) -> list[tuple[tuple[CriterionScore, ...], tuple[tuple[float, ...], ...]]]:
        """Criterion scores and gate weights of a batch of one task, as plain numbers."""
        layers = self.student.config.moe_layers if self.asks_experts(task_id) else 0
        gates = output.gate_weights[:, :layers].float().tolist()
        per_criterion = [
            criterion_scores(
                criterion_id, values, output.logits[task_id, criterion_id].double().cpu().numpy(),
                self._calibration.criteria.get((task_id, criterion_id)),
            )
            for criterion_id, values in self.tasks[task_id].items()
        ]  # fmt: skip
        return [
            (criteria, tuple(tuple(layer) for layer in gate))
            for criteria, gate in zip(zip(*per_criterion, strict=True), gates, strict=True)
        ]


def criterion_scores(
    criterion_id: str, values: tuple[int, ...], logits: np.ndarray, calibration: CriterionCalibration | None
) -> list[CriterionScore]:
    """Read (n, L) logits of one criterion as calibrated probabilities, expected level, level, and level set."""
    probabilities = calibrated_softmax(logits, calibration.temperature if calibration else 1.0)
    scores = []
    for row in probabilities:
        expected = float(row @ np.asarray(values, dtype=float))
        above = expected - values[0]
        level = values[0] + (calibration or CriterionCalibration()).level(above, len(values))
        held = level_set(row, level - values[0], calibration.threshold) if calibration else ()
        scores.append(
            CriterionScore(criterion_id, level, expected, tuple(row.tolist()), tuple(values[at] for at in held))
        )
    return scores
