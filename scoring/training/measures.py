"""The figures of an evaluation as frozen values; `to_json` is the report's format."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from scoring.agreement import Interval
from scoring.confidence import Bin


@dataclass(frozen=True)
class LevelAgreement:
    """Responses to which people gave one level."""

    level: int
    n: int
    exact: float  # share that the machine gave the same level
    mean_error: float  # machine less human, in points
    coverage: float  # share whose level set holds the level


@dataclass(frozen=True)
class GroupDifference:
    """How much more the machine than people favours a group, in standard deviations (DSM)."""

    column: str
    value: str
    n: int  # responses
    dsm: float
    dsm_low: float
    dsm_high: float
    exact: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Agreement of a machine with the first human rating; nan where a figure is undefined.

    Figures of a task are means over its criteria, except where said. `intervals` are 95% bootstrap
    percentile intervals by the figure's name.
    """

    n: int  # responses with a human level
    qwk: float  # of rounded levels
    qwk_low: float
    qwk_high: float
    pearson: float  # of the expected score before rounding
    exact: float
    adjacent: float
    smd: float  # of a task: its criterion's that is furthest from 0
    macro_f1: float
    n_double: int  # responses with a second human level
    human_qwk: float  # of the two humans, on those
    double_qwk: float  # of machine and first human, on those
    degradation: float  # double_qwk - human_qwk; below 0 where the machine agrees less than a second human
    prmse: float  # of the expected score
    ece: float  # of a task: over its criteria's judgements together
    brier: float
    coverage: float  # share of level sets that hold the human level
    set_size: float  # mean number of levels in a set
    intervals: dict[str, Interval]
    groups: tuple[GroupDifference, ...]


@dataclass(frozen=True, kw_only=True)
class CriterionAgreement(Figures):
    """One criterion."""

    criterion_id: str
    points: tuple[int, ...]
    confusion: tuple[tuple[int, ...], ...]  # rows the human's level, columns the machine's
    levels: tuple[LevelAgreement, ...]
    undefined: dict[str, str]  # figure -> why it is null


@dataclass(frozen=True, kw_only=True)
class TaskAgreement(Figures):
    """One task."""

    task_id: str
    exact_match: float  # share of responses with the human level on every criterion; of those rated on all
    criteria: tuple[CriterionAgreement, ...]


@dataclass(frozen=True)
class ShapeAgreement:
    """Agreement by level over all criteria that have the same score points."""

    points: tuple[int, ...]
    criteria: int
    levels: tuple[LevelAgreement, ...]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """All tasks; means are over tasks, so that a task with many rows or criteria counts once.

    `means` holds the tasks' other figures; of `smd` it holds the one furthest from 0.
    """

    n: int
    mean_qwk: float
    mean_qwk_low: float
    mean_qwk_high: float
    fisher_qwk: float
    fisher_qwk_low: float
    fisher_qwk_high: float
    means: dict[str, float]
    intervals: dict[str, Interval]
    ece: float  # over all judgements together
    ece_by_chance: float  # what perfect calibration would show on so many
    reliability: tuple[Bin, ...]
    by_level: tuple[ShapeAgreement, ...]
    groups: tuple[GroupDifference, ...]
    groups_left_out: dict[str, str]  # column, or "column: value" -> why
    tasks: tuple[TaskAgreement, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values with 4 decimals; undefined ones are null."""
        return {name: _plain(value) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Difference:
    """Mean QWK of one system less another's on the same responses, with a 95% interval."""

    difference: float
    low: float
    high: float


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        # What names a thing comes first.
        ordered = sorted(value.items(), key=lambda item: not item[0].endswith("_id"))
        return {key: _plain(item) for key, item in ordered}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, 4)
    return value
