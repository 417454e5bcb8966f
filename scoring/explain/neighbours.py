"""Answers that people scored and that the student sees alike: by response vector, or by their gates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.explain.words import Difference, differences
from scoring.inference.engine import Engine, Reading

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class KnownAnswer:
    """An answer to the same task with the levels that people gave; criteria without one are left out."""

    id: str
    text: str
    levels: Mapping[str, int]


@dataclass(frozen=True)
class Neighbour:
    """One known answer beside ours. The text stays where the answers are kept."""

    id: str
    similarity: float  # cosine of the response vectors, or the share of gate weight in common
    levels: Mapping[str, int]
    differences: tuple[Difference, ...]  # character spans in our text and in theirs

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` gives an equal neighbour back."""
        return {
            "id": self.id,
            "similarity": self.similarity,
            "levels": dict(self.levels),
            "differences": [[list(d.ours), list(d.theirs)] for d in self.differences],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Neighbour:
        """Build from plain values."""
        return cls(
            id=values["id"],
            similarity=values["similarity"],
            levels=dict(values["levels"]),
            differences=tuple(Difference(tuple(a), tuple(b)) for a, b in values["differences"]),
        )


class Neighbourhood:
    """The known answers to one task as one student version sees them."""

    def __init__(self, answers: Sequence[KnownAnswer], vectors: Vectors, gates: Vectors) -> None:
        """Take what `build` computed.

        Args:
            answers: (N,) of one task.
            vectors: (N, D) response vectors.
            gates: (N, layers, E) gate weights.
        """
        self.answers = tuple(answers)
        self.vectors, self.gates = vectors, gates
        self._unit = _unit(vectors)

    @classmethod
    def build(cls, engine: Engine, task_id: str, answers: Sequence[KnownAnswer]) -> Neighbourhood:
        """Read every known answer once.

        Raises:
            InvalidInput: the student doesn't know the task.
        """
        reading = engine.read(task_id, [answer.text for answer in answers])
        return cls(answers, reading.vectors.astype(np.float32), reading.gate_weights.astype(np.float32))

    def nearest(self, reading: Reading, text: str, count: int = 3, *, without: str | None = None) -> list[Neighbour]:
        """The known answers with the most similar response vectors, nearest first.

        Args:
            reading: of our text alone, by the same student.
            text: ours.
            count: how many at most.
            without: id of an answer to leave out: our own.
        """
        return self._closest(self._unit @ _unit(reading.vectors[:1])[0], text, count, without)

    def routed_alike(
        self, reading: Reading, text: str, count: int = 3, *, without: str | None = None
    ) -> list[Neighbour]:
        """The known answers whose gate weights have most in common with ours, over all layers.

        There are none where the student has no MoE layers.
        """
        if not self.gates.shape[1]:
            return []
        return self._closest(np.minimum(self.gates, reading.gate_weights[0]).sum(-1).mean(-1), text, count, without)

    def _closest(self, similarity: Vectors, text: str, count: int, without: str | None) -> list[Neighbour]:
        order = [i for i in np.argsort(-similarity, kind="stable").tolist() if self.answers[i].id != without]
        return [
            Neighbour(answer.id, float(min(1.0, similarity[i])), dict(answer.levels), differences(text, answer.text))
            for i in order[:count]
            for answer in [self.answers[i]]
        ]


def _unit(vectors: Vectors) -> Vectors:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), dtype=np.float32)
