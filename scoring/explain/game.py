"""An answer as a game among its words: which numbers the student gives when only some of them are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from scoring.explain.words import Span, keep_words
from scoring.inference.engine import Reading

Floats = NDArray[np.float64]
Masks = NDArray[np.bool_]


class Scorer(Protocol):
    """What the engine offers to an explanation; anything else that scores texts can be explained too."""

    @property
    def tasks(self) -> Mapping[str, Mapping[str, tuple[int, ...]]]:
        """Task id -> criterion id -> score points, ascending."""

    def read(self, task_id: str, texts: Sequence[str]) -> Reading:
        """Log-probabilities over levels of N texts."""


@dataclass(frozen=True)
class Output:
    """One number of the game: a criterion's expected score, or the log-odds of `lower + 1` against `lower`."""

    criterion_id: str
    levels: tuple[int, ...]
    lower: int | None = None

    def of(self, log_probabilities: Floats) -> Floats:
        """(N, L) -> (N,), in points or natural log-odds."""
        if self.lower is None:
            expected: Floats = np.exp(log_probabilities) @ np.array(self.levels, dtype=float)
            return expected
        at = self.levels.index(self.lower)
        log_odds: Floats = log_probabilities[:, at + 1] - log_probabilities[:, at]
        return log_odds

    @property
    def points(self) -> float:
        """Points that one unit is worth at most; the logistic curve is nowhere steeper than 1/4."""
        return 1.0 if self.lower is None else 0.25


def neighbouring(levels: Sequence[int], level: int) -> list[int]:
    """The lower level of each pair that a level forms with its neighbours.

    >>> neighbouring([0, 1, 2], 1), neighbouring([0, 1, 2], 2)
    ([0, 1], [1])
    """
    return [lower for lower in (level - 1, level) if lower >= levels[0] and lower < levels[-1]]


class WordGame:
    """Masks over the words of one answer -> outputs. Each mask is scored once."""

    def __init__(
        self, scorer: Scorer, task_id: str, text: str, spans: Sequence[Span], outputs: Sequence[Output]
    ) -> None:
        self.text, self.spans, self.outputs = text, tuple(spans), tuple(outputs)
        self._scorer, self._task_id = scorer, task_id
        self._known: dict[bytes, Floats] = {}

    def __call__(self, masks: Masks) -> Floats:
        """(M, n) words that stay -> (M, outputs)."""
        masks = np.asarray(masks, dtype=bool)
        new = {mask.tobytes(): mask for mask in masks if mask.tobytes() not in self._known}
        if new:
            texts = [keep_words(self.text, self.spans, mask.tolist()) for mask in new.values()]
            reading = self._scorer.read(self._task_id, texts)
            columns = [output.of(reading.log_probabilities[output.criterion_id]) for output in self.outputs]
            self._known.update(zip(new, np.stack(columns, axis=1), strict=True))
        return np.stack([self._known[mask.tobytes()] for mask in masks])
