"""The thresholds that automated scoring is held against, and what so many responses allow to say of them.

Williamson, Xi & Breyer (2012), as RSMTool flags them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MET, MISSED, OPEN = "met", "missed", "open"
"""The whole interval lies on the good side; the whole interval lies on the bad side; the interval holds the bound."""


@dataclass(frozen=True)
class Standard:
    """A figure's name in a report, the bound, and how a person says it."""

    figure: str
    low: float
    high: float
    label: str
    rule: str
    share: bool = False  # a share of responses


STANDARDS = (
    Standard("qwk", 0.70, math.inf, "QWK", "at least 0.70"),
    Standard("pearson", 0.70, math.inf, "Correlation", "at least 0.70"),
    Standard("degradation", -0.10, math.inf, "Against a second person", "no more than 0.10 below"),
    Standard("smd", -0.15, 0.15, "Mean difference", "within 0.15"),
    Standard("exact", 0.50, math.inf, "Same level", "at least 50%", share=True),
    Standard("adjacent", 0.95, math.inf, "Within one level", "at least 95%", share=True),
)
GROUPS = Standard("dsm", -0.10, 0.10, "Group difference", "within 0.10")


def verdict(standard: Standard, low: float | None, high: float | None, n: int) -> str | None:
    """What a 95% interval says of a standard; None where there is no interval.

    A share that no response in the sample contradicts has a bootstrap interval of no width; it may
    still be off by 3 / n (the rule of three, Hanley & Lippman-Hand 1983).

    >>> [verdict(STANDARDS[0], low, high, 50) for low, high in ((0.72, 0.8), (0.6, 0.8), (0.5, 0.6))]
    ['met', 'open', 'missed']
    >>> [verdict(STANDARDS[5], 1.0, 1.0, n) for n in (28, 300)]
    ['open', 'met']
    """
    if low is None or high is None:
        return None
    if standard.share:
        low, high = min(low, 1 - 3 / n), max(high, 3 / n)
    if standard.low <= low and high <= standard.high:
        return MET
    return MISSED if high < standard.low or low > standard.high else OPEN


def ends(figures: Mapping[str, Any], name: str) -> tuple[float | None, float | None]:
    """The ends of a figure's interval in a report's task, criterion or whole."""
    if name == "qwk":
        return figures["qwk_low"], figures["qwk_high"]
    interval = figures["intervals"].get(name) or {}
    return interval.get("low"), interval.get("high")


def judge(figures: Mapping[str, Any]) -> dict[str, str | None]:
    """Figure -> verdict, of a task or criterion of a report."""
    return {s.figure: verdict(s, *ends(figures, s.figure), figures["n"]) for s in STANDARDS}
