"""What is known about each answer before anything is learnt: computed once, used by every training after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import solve
from torch import Tensor

from scoring.inference.batching import plan_batches
from scoring.student.encoder import EncoderFiles, load_encoder
from scoring.student.example_heads import LENGTH, directions, meaning, steepness_of
from scoring.student.model import Student
from scoring.student.pooling import masked_mean
from scoring.student.tokens import Tokens, pad
from scoring.student.wording import POWER, length_of, rarity_of, relative_length, spelling_of, wording, wording_counts
from scoring.training.adaptation_layers import LowerStates

TOKEN_BUDGET = 4096
"""Tokens in one batch without gradients."""
MOST_KEPT = 800
"""Labelled answers whose meanings example heads keep, at most: 620 kB."""


@dataclass(frozen=True)
class Comparison:
    """N answers as example heads compare them; fitted on all of them, labelled or not."""

    centre: Tensor  # (D,)
    direction: Tensor  # (N, D)
    steepness: Tensor  # (1,)
    rarity: Tensor  # (2 BUCKETS,)
    shared: Tensor  # (N, 2 BUCKETS)
    lengths: Tensor  # (2,) mean and standard deviation
    long: Tensor  # (N,) standard deviations from the mean
    words: float  # share of wording against meaning

    @property
    def kernel(self) -> np.ndarray:
        """(N, N) how alike every two answers are, and a constant."""
        likeness = (1 - self.words) * meaning(self.direction, self.direction, self.steepness)
        likeness += self.words * (self.shared @ self.shared.T) + LENGTH * self.long[:, None] * self.long
        found: np.ndarray = likeness.double().numpy()
        return found + 1.0

    def heads(self, known: Sequence[Sequence[int]], weights: Sequence[np.ndarray]) -> dict[str, Tensor]:
        """Example heads as `ExampleHeads` names its tensors.

        Args:
            known: per criterion (n,) positions of the labelled answers.
            weights: per criterion (n, L-1) from `teach`.
        """
        used = sorted({at for rows in known for at in rows})
        # Beyond so many, evenly spaced ones stand in for the others.
        kept = [used[at] for at in np.linspace(0, len(used) - 1, min(len(used), MOST_KEPT)).round().astype(int)]
        state = {
            "centre": self.centre, "examples": self.direction[kept], "steepness": self.steepness,
            "rarity": self.rarity, "power": torch.tensor([POWER]), "lengths": self.lengths,
        }  # fmt: skip
        place = {at: number for number, at in enumerate(kept)}
        for number, (rows, weight) in enumerate(zip(known, weights, strict=True)):
            if len(kept) == len(used):
                by_example = np.zeros((len(kept), weight.shape[1]))
                by_example[[place[at] for at in rows]] = weight
            else:
                own = self._near(kept, kept) + 1e-4 * np.eye(len(kept))
                by_example = solve(own, self._near(kept, rows) @ weight, assume_a="pos")
            plain = torch.tensor(weight, dtype=torch.float32)
            state |= {
                f"criteria.{number}.by_example": torch.tensor((1 - self.words) * by_example, dtype=torch.float32),
                f"criteria.{number}.by_wording": self.words * (self.shared[list(rows)].T @ plain),
                f"criteria.{number}.by_length": LENGTH * (self.long[list(rows)] @ plain),
                f"criteria.{number}.constant": plain.sum(0),
            }
        return state

    def _near(self, one: Sequence[int], other: Sequence[int]) -> np.ndarray:
        found: np.ndarray = (
            meaning(self.direction[list(one)], self.direction[list(other)], self.steepness).double().numpy()
        )
        return found


def compare(vectors: np.ndarray, tokens: Sequence[Tokens], pad_id: int, spelling: Tensor, words: float) -> Comparison:
    """Fit the comparison to a class's answers, (N, D) as the student pools them and as it reads them."""
    table = torch.tensor(vectors, dtype=torch.float32)
    centre = table.mean(0)
    direction = directions(table, centre)
    # In parts: all answers padded to the longest would take gigabytes.
    padded = [pad(tokens[at : at + 64], pad_id) for at in range(0, len(tokens), 64)]
    counts = torch.cat([wording_counts(ids, mask, spelling) for ids, mask in padded])
    rarity = rarity_of(counts)
    length = torch.cat([length_of(mask) for _, mask in padded])
    lengths = torch.stack([length.mean(), length.std()])
    return Comparison(
        centre, direction, steepness_of(direction), rarity, wording(counts, rarity, torch.tensor([POWER])), lengths,
        relative_length(length, lengths), words,
    )  # fmt: skip


@dataclass(frozen=True)
class AnswerViews:
    """N answers as several readers see them."""

    hidden: np.ndarray  # (N, D) what trained heads read: the student without a delta, after its experts
    likeness: np.ndarray  # (N, N) of the answers' meanings, by the encoder as it came; 1 for equal ones
    comparison: Comparison
    kernel: np.ndarray  # (N, N) of the comparison


class Collector:
    """Computes the views batch by batch, so that a caller can show progress between them."""

    def __init__(
        self, student: Student, files: EncoderFiles, tokens: Sequence[Tokens], index: int, pad_id: int,
        device: torch.device, autocast: torch.dtype | None, lower: LowerStates,
    ) -> None:  # fmt: skip
        self._student, self._files, self._tokens = student, files, tokens
        self._index, self._pad_id, self._device, self._autocast = index, pad_id, device, autocast
        self._lower = lower
        self._batches = plan_batches([len(row) for row in tokens], TOKEN_BUDGET)
        width = student.config.width
        self._hidden, self._vectors, self._plain = (np.zeros((len(tokens), width), np.float32) for _ in range(3))

    @property
    def total(self) -> int:
        """How many steps `run` makes."""
        return 2 * len(self._batches)

    def run(self) -> Iterator[None]:
        """One step a batch."""
        for batch in self._batches:
            index = torch.full((len(batch),), self._index, device=self._device)
            ids, mask = self._padded(batch)
            with torch.inference_mode(), self._numbers(), self._lower.recording(batch, mask):
                hidden, vectors = hidden_of(self._student, ids, mask, index)
            self._hidden[batch], self._vectors[batch] = hidden.float().cpu().numpy(), vectors.float().cpu().numpy()
            yield
        encoder = load_encoder(self._files).to(self._device)
        for batch in self._batches:
            ids, mask = self._padded(batch)
            with torch.inference_mode(), self._numbers():
                states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            self._plain[batch] = masked_mean(states.float(), mask).cpu().numpy()
            yield

    def views(self, words: float) -> AnswerViews:
        """After `run`."""
        spelling = spelling_of(self._files)
        return views_of(self._hidden, self._vectors, self._plain, self._tokens, self._pad_id, spelling, words)

    def _padded(self, batch: Sequence[int]) -> tuple[Tensor, Tensor]:
        ids, mask = pad([self._tokens[at] for at in batch], self._pad_id)
        return ids.to(self._device), mask.to(self._device)

    def _numbers(self) -> torch.autocast:
        return torch.autocast(self._device.type, dtype=self._autocast, enabled=self._autocast is not None)


def hidden_of(student: Student, ids: Tensor, mask: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """What a batch's trained heads read, and the pooled vectors before the experts: (B, D) and (B, D)."""
    kept: list[Tensor] = []
    layers = list(student.moe)
    hook = layers[-1].register_forward_hook(lambda _m, _a, output: kept.append(output.hidden)) if layers else None
    try:
        vectors = student(ids, mask, index).vectors
    finally:
        if hook is not None:
            hook.remove()
    return (kept[0] if kept else vectors), vectors


def views_of(
    hidden: np.ndarray, vectors: np.ndarray, plain: np.ndarray, tokens: Sequence[Tokens], pad_id: int,
    spelling: Tensor, words: float,
) -> AnswerViews:  # fmt: skip
    """From what the student, its pooling, and the encoder as it came make of N answers, (N, D) each."""
    apart = plain - plain.mean(0)
    unit = apart / (np.linalg.norm(apart, axis=1, keepdims=True) + 1e-9)
    comparison = compare(vectors, tokens, pad_id, spelling, words)
    return AnswerViews(hidden, (unit @ unit.T).astype(np.float64), comparison, comparison.kernel)
