"""What is known about each answer before anything is learnt: computed once, used by every training after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor

from scoring.inference.batching import plan_batches
from scoring.student.encoder import EncoderFiles, load_encoder
from scoring.student.model import Student
from scoring.student.pooling import masked_mean
from scoring.student.text import clean_text
from scoring.student.tokens import Tokens, pad
from scoring.training.adaptation_layers import LowerStates

TOKEN_BUDGET = 4096
"""Tokens in one batch without gradients."""


@dataclass(frozen=True)
class AnswerViews:
    """N answers as several readers see them."""

    hidden: np.ndarray  # (N, D) what the heads read: the student without a delta, after its experts
    likeness: np.ndarray  # (N, N) of the answers' meanings, by the encoder as it came; 1 for equal ones
    kernels: dict[str, np.ndarray]  # name -> (N, N) likeness of every two answers, 1 on the diagonal on average


class Collector:
    """Computes the views batch by batch, so that a caller can show progress between them."""

    def __init__(
        self, student: Student, files: EncoderFiles, tokens: Sequence[Tokens], texts: Sequence[str], index: int,
        pad_id: int, device: torch.device, autocast: torch.dtype | None, lower: LowerStates,
    ) -> None:  # fmt: skip
        self._student, self._files, self._tokens, self._texts = student, files, tokens, texts
        self._index, self._pad_id, self._device, self._autocast = index, pad_id, device, autocast
        self._lower = lower
        self._batches = plan_batches([len(row) for row in tokens], TOKEN_BUDGET)
        self._kernels = Kernels()
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

    def compare(self) -> Iterator[None]:
        """After `run`: how alike the answers are; a step a kernel."""
        yield from self._kernels.fill(self._hidden, self._vectors, self._plain, self._texts)

    def views(self) -> AnswerViews:
        """After `compare`."""
        return AnswerViews(self._hidden, self._kernels.likeness, self._kernels.found)

    def _padded(self, batch: Sequence[int]) -> tuple[Tensor, Tensor]:
        ids, mask = pad([self._tokens[at] for at in batch], self._pad_id)
        return ids.to(self._device), mask.to(self._device)

    def _numbers(self) -> torch.autocast:
        return torch.autocast(self._device.type, dtype=self._autocast, enabled=self._autocast is not None)


def hidden_of(student: Student, ids: Tensor, mask: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """What a batch's heads read, and the pooled vectors before the experts: (B, D) and (B, D)."""
    kept: list[Tensor] = []
    layers = list(student.moe)
    hook = layers[-1].register_forward_hook(lambda _m, _a, output: kept.append(output.hidden)) if layers else None
    try:
        vectors = student(ids, mask, index).vectors
    finally:
        if hook is not None:
            hook.remove()
    return (kept[0] if kept else vectors), vectors


class Kernels:
    """How alike every two answers are, to several readers."""

    def __init__(self) -> None:
        self.found: dict[str, np.ndarray] = {}
        self.likeness = np.zeros((0, 0))

    def fill(self, hidden: np.ndarray, vectors: np.ndarray, plain: np.ndarray, texts: Sequence[str]) -> Iterator[None]:
        """From what the student, its pooling, and the encoder as it came make of N answers, (N, D) each."""
        for name, table in (("hidden", hidden), ("vectors", vectors), ("plain", plain)):
            cosine = _cosine(table - table.mean(0))
            if name == "plain":
                self.likeness = cosine
            self.found[name] = _near(cosine)
            yield
        cleaned = [clean_text(text).lower() for text in texts]
        words = np.zeros((len(texts), len(texts)))
        for analyzer, span in (("word", (1, 2)), ("char_wb", (3, 5))):
            words += 0.5 * _words(cleaned, analyzer, span)
            yield
        self.found["words"] = words


def views_of(hidden: np.ndarray, vectors: np.ndarray, plain: np.ndarray, texts: Sequence[str]) -> AnswerViews:
    """All views at once; the arguments are those of `Kernels.fill`."""
    kernels = Kernels()
    for _ in kernels.fill(hidden, vectors, plain, texts):
        pass
    return AnswerViews(hidden, kernels.likeness, kernels.found)


def _cosine(table: np.ndarray) -> np.ndarray:
    unit = table / (np.linalg.norm(table, axis=1, keepdims=True) + 1e-9)
    likeness: np.ndarray = (unit @ unit.T).astype(np.float64)
    return likeness


def _near(cosine: np.ndarray) -> np.ndarray:
    """A radial kernel from cosines: how near two answers are, on the scale of the class."""
    apart = 2 - 2 * cosine
    near: np.ndarray = np.exp(-apart / max(float(np.median(apart)), 1e-6))
    return near


def _words(cleaned: Sequence[str], analyzer: str, span: tuple[int, int]) -> np.ndarray:
    """Words and pairs of them, or runs of letters inside words, weighted by how rare they are in the class."""
    vectorizer = TfidfVectorizer(analyzer=analyzer, ngram_range=span, sublinear_tf=True, min_df=2)
    try:
        found = vectorizer.fit_transform(cleaned)
    except ValueError:  # no word twice in all the texts
        return np.zeros((len(cleaned), len(cleaned)))
    kernel: np.ndarray = (found @ found.T).toarray()
    return kernel
