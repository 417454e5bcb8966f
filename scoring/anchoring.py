"""What people's scores say of the machine's: only those that were given before it was seen count. Pure; no database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import sqrt

Z = 1.96  # of a two-sided 95% interval


@dataclass(frozen=True)
class Step:
    """A row of the human scores of one response, oldest first. Rows of one message are saved together."""

    id: int
    message: str
    criterion: str
    level: int | None  # None where it takes back
    machine_level: int | None  # what the machine said then
    retracts: int | None = None


@dataclass(frozen=True)
class Share:
    """How many of `n` differ, with Wilson's 95% interval of their share; nan without any."""

    n: int
    differing: int
    share: float
    low: float
    high: float


def before_reveal(steps: Iterable[Step], criteria: Iterable[str]) -> dict[str, Step]:
    """What a person had given on every criterion at the moment when the machine's view was first revealed.

    That moment is when every criterion stands decided for the first time. What anybody does afterwards,
    even taking it all back, may follow from having seen the machine's level, and changes nothing here.

    Returns:
        The step that stood, by criterion; empty while the moment has not come.

    >>> first, slip = Step(1, "a", "c", 2, 1), Step(3, "c", "c", 1, 1)
    >>> before_reveal([first, Step(2, "b", "c", None, None, retracts=1), slip], ["c"])["c"].level
    2
    >>> before_reveal([first], ["c", "d"])
    {}
    """
    wanted, standing = set(criteria), dict[str, list[Step]]()
    for _, message in groupby(steps, key=lambda step: step.message):
        for step in message:
            rows = standing.setdefault(step.criterion, [])
            if step.level is None:
                rows[:] = [row for row in rows if row.id != step.retracts]
            else:
                rows.append(step)
        if all(standing.get(criterion) for criterion in wanted):
            return {criterion: standing[criterion][-1] for criterion in wanted}
    return {}


def share_of(differs: Sequence[bool]) -> Share:
    """The share of true values with Wilson's score interval (Wilson 1927), which holds for few and for extreme ones.

    >>> share_of([True, False, False, False])
    Share(n=4, differing=1, share=0.25, low=0.046, high=0.699)
    >>> share_of([]).n
    0
    """
    n, count = len(differs), sum(differs)
    if not n:
        return Share(0, 0, float("nan"), float("nan"), float("nan"))
    p = count / n
    centre = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return Share(n, count, p, round(max(0.0, centre - half), 3), round(min(1.0, centre + half), 3))


def difference(first: Share, second: Share) -> tuple[float, float, float]:
    """First minus second share with Newcombe's 95% interval (Newcombe 1998, method 10): value, low, high.

    >>> value, low, high = difference(share_of([True] * 6 + [False] * 14), share_of([True] * 2 + [False] * 38))
    >>> round(value, 2), round(low, 2), round(high, 2)
    (0.25, 0.06, 0.47)
    >>> difference(share_of([]), share_of([True]))
    (nan, nan, nan)
    """
    if not first.n or not second.n:
        return float("nan"), float("nan"), float("nan")
    value = first.share - second.share
    below = sqrt((first.share - first.low) ** 2 + (second.high - second.share) ** 2)
    above = sqrt((first.high - first.share) ** 2 + (second.share - second.low) ** 2)
    return value, max(-1.0, value - below), min(1.0, value + above)
