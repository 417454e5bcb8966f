"""An evaluation report as one HTML page: no script, nothing loaded, readable on paper and in the dark.

Charts are tables whose cells are drawn with styles, so that a screen reader reads the figures and a
narrow screen doesn't shrink the words. Only the reliability diagram is a drawing (SVG).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from scoring.domain import Task
from scoring.training.standards import GROUPS, MET, MISSED, OPEN, STANDARDS, ends, judge, verdict
from scoring.training.tables import number, span

TEMPLATE = Path(__file__).with_name("report.html")
WORDS = {MET: "met", MISSED: "missed", OPEN: "not enough evidence", None: "not known"}
AXES = ((0.3, 0.1), (0.5, 0.1), (1.0, 0.5), (2.0, 1.0))
"""How far an axis around 0 may reach, and its steps."""

OPENED = 40
"""So many confusion tables are laid out at once; more are folded up."""


@dataclass(frozen=True)
class Scale:
    """The axis of a chart, from `low` to `high`, with a tick every `step`."""

    low: float
    high: float
    step: float

    def at(self, value: float) -> float:
        """Where a value lies, in percent of the axis; values beyond lie on its end."""
        return round(100 * (min(max(value, self.low), self.high) - self.low) / (self.high - self.low), 2)

    @property
    def ticks(self) -> list[float]:
        """The values that are written below."""
        count = round((self.high - self.low) / self.step)
        return [round(self.low + i * self.step, 6) for i in range(count + 1)]


@dataclass(frozen=True)
class Line:
    """One row of a chart: a dot, the whisker of its interval, and perhaps a second mark."""

    label: str
    n: int
    value: float | None
    low: float | None
    high: float | None
    mark: float | None = None
    verdict: str | None = None


def render(report: Mapping[str, Any], tasks: Mapping[str, Task]) -> str:
    """The page.

    Args:
        report: what the `evaluate` command writes as JSON.
        tasks: for titles and names; a task that is missing goes by its id.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": number, "percent": percent}
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    qwk = [_line(_title(tasks, t), t, "qwk", mark=t["human_qwk"]) for t in report["tasks"]]
    coverage = [_line(_title(tasks, t), t, "coverage") for t in report["tasks"]]
    groups = [
        Line(f"{g['column'].replace('_', ' ')}: {g['value']}", g["n"], g["dsm"], g["dsm_low"], g["dsm_high"],
             verdict=verdict(GROUPS, g["dsm_low"], g["dsm_high"], g["n"]))
        for g in report["groups"]
    ]  # fmt: skip
    return template.render(
        report=report,
        span=span,
        share_interval=share_interval,
        words=WORDS,
        standards=STANDARDS,
        group_standard=GROUPS,
        title=lambda task_id: _title(tasks, {"task_id": task_id}),
        criterion=lambda task_id, criterion_id: _name(tasks, task_id, criterion_id),
        qwk=qwk,
        qwk_scale=upward_scale(qwk, most=0.6, step=0.2),
        coverage=coverage,
        coverage_scale=upward_scale(coverage, most=0.8, step=0.1),
        groups=groups,
        group_scale=even_scale(groups),
        judge=judge,
        ends=ends,
        counts={s.figure: [judge(t)[s.figure] for t in report["tasks"]] for s in STANDARDS},
        undefined=reasons(report, tasks),
        opened=sum(len(t["criteria"]) for t in report["tasks"]) <= OPENED,
    )


def upward_scale(lines: Iterable[Line], *, most: float, step: float) -> Scale:
    """An axis that ends at 1 and begins at `most`, or lower where something lies lower; -1 at the lowest."""
    shown = [value for line in lines for value in (line.low, line.value, line.mark) if value is not None]
    return Scale(max(-1.0, min([most, *(math.floor(value / step) * step for value in shown)])), 1.0, step)


def even_scale(lines: Iterable[Line]) -> Scale:
    """An axis around 0 that holds all intervals up to 2, at least 0.3 to each side."""
    furthest = max((abs(v) for line in lines for v in (line.low, line.value, line.high) if v is not None), default=0.0)
    reach, step = next((axis for axis in AXES if axis[0] >= furthest), AXES[-1])
    return Scale(-reach, reach, step)


def share_interval(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95% interval of a share of n.

    >>> [round(end, 3) for end in share_interval(1.0, 28)]
    [0.879, 1.0]
    """
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def reasons(report: Mapping[str, Any], tasks: Mapping[str, Task]) -> dict[str, list[str]]:
    """Why figures are missing: reason -> "task, criterion" it holds for; once where it holds for all."""
    found: dict[str, list[str]] = {}
    criteria = [(task, criterion) for task in report["tasks"] for criterion in task["criteria"]]
    for task, criterion in criteria:
        for reason in dict.fromkeys(criterion["undefined"].values()):
            name = f"{_title(tasks, task)}, {_name(tasks, task['task_id'], criterion['criterion_id'])}"
            found.setdefault(reason, []).append(name)
    return {reason: ["everywhere"] if len(names) == len(criteria) else names for reason, names in found.items()}


def percent(share: float | None, digits: int = 0) -> str:
    """A share as people read it.

    >>> percent(0.904), percent(0.904, 1), percent(None)
    ('90%', '90.4%', '–')
    """
    return "–" if share is None else f"{100 * share:.{digits}f}%"


def _line(label: str, of: Mapping[str, Any], figure: str, mark: float | None = None) -> Line:
    return Line(label, of["n"], of[figure], *ends(of, figure), mark, judge(of).get(figure))


def _title(tasks: Mapping[str, Task], task: Mapping[str, Any]) -> str:
    known = tasks.get(task["task_id"])
    return known.title if known else str(task["task_id"])


def _name(tasks: Mapping[str, Task], task_id: str, criterion_id: str) -> str:
    known: Sequence[Any] = tasks[task_id].criteria if task_id in tasks else ()
    return next((c.name for c in known if c.id == criterion_id), criterion_id)
