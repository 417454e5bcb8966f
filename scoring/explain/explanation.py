"""What an explanation says, as frozen values that go to JSON and back. Needs neither PyTorch nor shap.

The learner's text is not in here, only character offsets into it: whoever shows an explanation has
the text, and erasing a learner's text erases the words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from scoring.domain import content_hash
from scoring.errors import InvalidInput

FORMAT = 1
"""Raised when stored explanations can't be compared with new ones any more."""


@dataclass(frozen=True)
class ExplainSettings:
    """How much work an explanation may be. Raises `InvalidInput` naming the field that is out of range."""

    evaluations: int = 128  # at most so many shortened copies of an answer are scored for the attributions
    draws: int = 20  # random pairs of sets of words that the highlights must beat
    steps: int = 5  # of the deletion and insertion curves; the test takes out one step's share of the words
    seed: int = 0  # of the random sets

    def __post_init__(self) -> None:
        if self.evaluations < 8:
            raise InvalidInput(f"evaluations: {self.evaluations} is not at least 8")
        if self.draws < 5:
            raise InvalidInput(f"draws: {self.draws} is not at least 5")
        if self.steps < 2:
            raise InvalidInput(f"steps: {self.steps} is not at least 2")

    def hash(self) -> str:
        """12 hex digits that change with any setting, under which an explanation is stored."""
        return content_hash({"format": FORMAT, **asdict(self)})[:12]


@dataclass(frozen=True)
class Faithfulness:
    """What happened when highlighted words were taken out and the answer was scored again.

    All values are in the units of the attribution they belong to: points for an expected score,
    natural log-odds for a pair of levels.
    """

    deleted: int  # how many words were taken out at once
    draws: int  # random sets of as many words, two a pair
    without_top: float  # value without the words that raised it most
    without_bottom: float  # value without the words that lowered it most
    without_random: float  # value without random words, mean over the draws
    comprehensiveness: float  # without_bottom - without_top; the larger, the better
    random_comprehensiveness: float  # the same between the two sets of a pair, mean of its size
    random_share: float  # share of pairs that do at least as well, 0 to 1
    sufficiency: float  # value - value of the top words alone; the smaller, the better
    deletion_auc: float  # mean value while the top words go first; the smaller, the better
    insertion_auc: float  # mean value while the top words come first; the larger, the better


@dataclass(frozen=True)
class Attribution:
    """How much each word moved one number; `base_value + sum(values) == value`."""

    base_value: float  # without any word
    value: float  # of the answer
    values: tuple[float, ...]  # one per word of the explanation
    trustworthy: bool  # False: the highlights are not to be shown
    sentence: str  # in plain words, what the test found
    faithfulness: Faithfulness | None  # None where too few words leave nothing to test


@dataclass(frozen=True)
class LevelPair:
    """Why `upper` and not `lower`: the attribution of `ln p(upper) / p(lower)`."""

    lower: int  # score point
    upper: int  # lower + 1
    attribution: Attribution


@dataclass(frozen=True)
class CriterionExplanation:
    """One criterion. `attribution` and `pairs` are missing from a first look."""

    id: str
    level: int  # rounded expected score
    levels: tuple[int, ...]  # score points, ascending
    probabilities: tuple[float, ...]  # one per level
    expected: float  # mean of the levels under `probabilities`, points
    gradient: tuple[float, ...]  # the first look: gradient x state of the expected score, one per word; untested
    attribution: Attribution | None  # of the expected score, by shap
    pairs: tuple[LevelPair, ...]  # the level with the one below it and the one above it
    agreement: float | None  # rank correlation of gradient and shap, -1 to 1; None where undefined

    @property
    def scale(self) -> float:
        """The word value, in points, that deserves the deepest colour.

        A tenth of the range at least, so that a score which no word moved is not painted as if one had.
        """
        shown = self.attribution.values if self.attribution else self.gradient
        return max([abs(v) for v in shown] + [0.1 * (self.levels[-1] - self.levels[0])])


@dataclass(frozen=True)
class Explanation:
    """Why one text got its scores from one student version."""

    task_id: str
    version_id: str
    settings_hash: str
    spans: tuple[tuple[int, int], ...]  # of each word: character offsets into the original text, end excluded
    words_read: int  # words from here on are beyond the student's limit; their values are 0
    truncated: bool
    criteria: tuple[CriterionExplanation, ...]
    gate_weights: tuple[tuple[float, ...], ...]  # one row a MoE layer, one weight an expert; rows sum to 1
    note: str  # what is special about this text, in a sentence; empty when nothing is

    @property
    def complete(self) -> bool:
        """False for a first look, which has gradients only."""
        return all(criterion.attribution is not None for criterion in self.criteria)

    @property
    def gate_entropy(self) -> tuple[float, ...]:
        """Per layer, 0 (one expert alone) to 1 (all alike)."""
        return tuple(entropy(row) for row in self.gate_weights)

    def criterion(self, criterion_id: str) -> CriterionExplanation:
        """The criterion with this id; raises `InvalidInput` when there is none."""
        for criterion in self.criteria:
            if criterion.id == criterion_id:
                return criterion
        raise InvalidInput(f"the explanation has no criterion {criterion_id!r}")

    def to_json(self) -> dict[str, Any]:
        """Plain values; `from_json` gives an equal explanation back."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Explanation:
        """Build from plain values. Raises `InvalidInput` when they are not an explanation's."""
        try:
            return cls(
                **{
                    **values,
                    "spans": tuple((int(start), int(end)) for start, end in values["spans"]),
                    "criteria": tuple(_criterion(entry) for entry in values["criteria"]),
                    "gate_weights": tuple(tuple(row) for row in values["gate_weights"]),
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidInput(f"not a stored explanation ({error!r}); compute it again") from error


def entropy(weights: tuple[float, ...]) -> float:
    """Entropy of one layer's gate weights, as a share of the most it can be.

    >>> entropy((0.5, 0.5)), entropy((1.0, 0.0)), entropy((1.0,))
    (1.0, 0.0, 0.0)
    """
    if len(weights) < 2:
        return 0.0
    return abs(sum(w * math.log(w) for w in weights if w > 0)) / math.log(len(weights))


def _criterion(values: Mapping[str, Any]) -> CriterionExplanation:
    return CriterionExplanation(
        **{
            **values,
            "levels": tuple(values["levels"]),
            "probabilities": tuple(values["probabilities"]),
            "gradient": tuple(values["gradient"]),
            "attribution": None if values["attribution"] is None else _attribution(values["attribution"]),
            "pairs": tuple(
                LevelPair(**{**pair, "attribution": _attribution(pair["attribution"])}) for pair in values["pairs"]
            ),
        }
    )


def _attribution(values: Mapping[str, Any]) -> Attribution:
    tested = values["faithfulness"]
    return Attribution(
        **{
            **values,
            "values": tuple(values["values"]),
            "faithfulness": None if tested is None else Faithfulness(**tested),
        }
    )
