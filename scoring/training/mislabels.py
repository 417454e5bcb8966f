"""Which labels to look at again, and which answers to label next. Pure; no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST_SURE = 0.6
"""Probability of the predicted level from which a differing label is worth a second look."""
LIKELIEST_GIVEN = 0.15
"""Probability of the given level above which a label is no surprise."""
NEAREST = 5
"""Labelled answers nearest in meaning that a reason speaks of."""
CLOSE = 0.75
"""Likeness from which an unlabelled answer says the same as another."""


@dataclass(frozen=True)
class Suspect:
    """A label that the rest of the labels speaks against."""

    row: int
    given: int  # level index
    predicted: int  # level index
    probability: float  # of the given level
    reason: str


@dataclass(frozen=True)
class Pick:
    """An unlabelled answer that is worth labelling."""

    row: int
    reason: str


def suspects(
    probabilities: np.ndarray, labels: Sequence[int], likeness: np.ndarray, values: Sequence[int], *, most: int = 20
) -> list[Suspect]:
    """Labels that held-out predictions find unlikely (after Northcutt et al. 2021, confident learning).

    Args:
        probabilities: (n, L) of models that had not seen the label, calibrated.
        labels: (n,) level indices.
        likeness: (n, n) of the answers' meanings.
        values: (L,) score points.
        most: at most so many, most suspicious first.
    """
    found = []
    for row, label in enumerate(labels):
        predicted = int(probabilities[row].argmax())
        given = float(probabilities[row, label])
        if predicted == label or probabilities[row, predicted] < LEAST_SURE or given > LIKELIEST_GIVEN:
            continue
        near = [at for at in np.argsort(-likeness[row], kind="stable") if at != row][:NEAREST]
        same = sum(labels[at] == predicted for at in near)
        reason = (
            f"A model that had not seen this label gives level {values[predicted]} with "
            f"{probabilities[row, predicted]:.0%}, and level {values[label]} with {_percent(given)}."
        )
        if same * 2 > len(near):
            reason += f" {same} of the {len(near)} labelled answers nearest to it have level {values[predicted]}."
        found.append(Suspect(row, int(label), predicted, given, reason))
    return sorted(found, key=lambda suspect: (suspect.probability, suspect.row))[:most]


def picks(
    probabilities: Sequence[np.ndarray], likeness: np.ndarray, known: np.ndarray, values: Sequence[Sequence[int]], *,
    most: int = 10,
) -> list[Pick]:  # fmt: skip
    """Unlabelled answers that would teach most: the model is unsure of them, and they say what no other says.

    Args:
        probabilities: per criterion (n, L).
        likeness: (n, n) of the unlabelled answers' meanings.
        known: (n,) likeness of each to the nearest labelled answer.
        values: per criterion (L,) score points.
        most: how many.
    """
    unsure = np.mean([_entropy(table) for table in probabilities], axis=0) if len(known) else np.zeros(0)
    nearest = known.astype(float).copy()
    chosen: list[Pick] = []
    left = set(range(len(unsure)))
    while left and len(chosen) < most:
        worth = {row: unsure[row] * (1.05 - np.clip(nearest[row], 0, 1)) for row in left}
        row = max(left, key=lambda at: (worth[at], -at))
        chosen.append(Pick(row, _why(row, probabilities, nearest[row], known[row], values)))
        left.discard(row)
        nearest = np.maximum(nearest, likeness[row])
    return chosen


def _why(
    row: int, probabilities: Sequence[np.ndarray], nearest: float, known: float, values: Sequence[Sequence[int]]
) -> str:
    which = int(np.argmax([_entropy(table[row : row + 1])[0] for table in probabilities]))
    table = probabilities[which][row]
    first, second = sorted(np.argsort(-table, kind="stable")[:2].tolist())
    torn = f"The model is torn between level {values[which][first]} and level {values[which][second]}"
    return f"{torn}, and nothing labelled so far is like it." if known < CLOSE else f"{torn}."


def _entropy(table: np.ndarray) -> np.ndarray:
    """(n, L) -> (n,) 0 sure to 1 unsure."""
    found: np.ndarray = -(table * np.log(table.clip(1e-12))).sum(-1) / np.log(table.shape[-1])
    return found


def _percent(share: float) -> str:
    return "less than 1%" if share < 0.01 else f"{share:.0%}"
