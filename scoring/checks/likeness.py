"""Urgent signs that no list of words holds: sentences that read like those of learners in need.

A linear model over sentence embeddings, trained by `python -m bench.likeness` on sentences written for this project.
It adds to `urgent.urgent_signs` and never replaces it: the words catch what stands plainly in a long answer, this what
is said in other words. Needs no model library: embeddings are made elsewhere, one for each of an answer's `pieces`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoring.checks.urgent import UrgentKind, UrgentSign, plain_text
from scoring.checks.words import sentences
from scoring.errors import InvalidInput

WEIGHTS = Path(__file__).with_name("likeness.json")
_LONGEST = 30  # words of a piece; a longer text drowns the one sentence that matters
_OVERLAP = 10
_SHORTEST = 3  # words that can say something about oneself


def pieces(text: str) -> list[str]:
    """The sentences of an answer, long ones cut into overlapping pieces; sentences of one or two words are left out.

    >>> pieces("It melts. i dont want to be here")
    ['i dont want to be here']
    """
    cut = []
    for sentence in sentences(text):
        said = sentence.split()
        starts = range(0, max(1, len(said) - _OVERLAP), _LONGEST - _OVERLAP)
        cut += [" ".join(said[start : start + _LONGEST]) for start in starts if len(said) >= _SHORTEST]
    return cut


@dataclass(frozen=True)
class UrgentLikeness:
    """The trained weights.

    Attributes:
        encoder: SHA-256 of the encoder's weights whose embeddings it was trained on; others mean nothing to it.
        threshold: probability that a piece is a sign, from which it is one; 0 to 1.
        weights: (K + 1, D), the first row for "no sign", then one per `UrgentKind`.
        bias: (K + 1,).
    """

    encoder: str
    threshold: float
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> UrgentLikeness:
        """Read the weights that come with the program."""
        saved = json.loads(path.read_text(encoding="utf-8"))
        return cls(saved["encoder"], saved["threshold"], np.array(saved["weights"]), np.array(saved["bias"]))

    def save(self, path: Path = WEIGHTS) -> None:
        """Write the weights; `load` gives them back up to the last of six digits."""
        saved = {
            "encoder": self.encoder,
            "threshold": self.threshold,
            "bias": self.bias.round(6).tolist(),
            "weights": self.weights.round(6).tolist(),
        }
        path.write_text(json.dumps(saved) + "\n", encoding="utf-8")

    def probabilities(self, embeddings: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, D) unit-length embeddings -> (N, K) probability of each kind of sign.

        Raises:
            InvalidInput: the embeddings are not as wide as those of the encoder that it was trained on.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != self.weights.shape[1]:
            raise InvalidInput(
                f"embeddings: shape {embeddings.shape} was given, (N, {self.weights.shape[1]}) is needed; "
                "use the bundled encoder"
            )
        logits = embeddings @ self.weights.T + self.bias  # (N, K + 1)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float64] = (odds / odds.sum(axis=1, keepdims=True))[:, 1:]
        return probabilities

    def signs(self, said: Sequence[str], embeddings: NDArray[np.floating]) -> list[UrgentSign]:
        """The sign in one answer, if there is one: its likeliest piece, and the kind it reads most like.

        Args:
            said: the answer's `pieces`.
            embeddings: (N, D) one for each piece.
        """
        if not len(said):
            return []
        probabilities = self.probabilities(embeddings)
        likeliest = int(probabilities.sum(axis=1).argmax())
        if probabilities[likeliest].sum() < self.threshold:
            return []
        kind = list(UrgentKind)[int(probabilities[likeliest].argmax())]
        return [UrgentSign(kind, plain_text(said[likeliest]).strip(" ."))]
