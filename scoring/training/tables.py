"""An evaluation report as text, at most 100 columns wide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from scoring.training.standards import MET, MISSED, OPEN, STANDARDS, judge

NAME = 28

NOTE = (
    "r: of expected scores before rounding. H-H: QWK of two people, where both scored; HM-HH: the\n"
    "machine's there, less theirs. SMD of a task: its criterion's furthest from 0. –: undefined."
)


def console(report: Mapping[str, Any]) -> str:
    """Agreement per task and criterion, then calibration, groups, and the means; undefined values are dashes."""
    parts = [_agreement(report), _calibration(report), _levels(report), _groups(report), _summary(report)]
    return "\n\n".join(part for part in parts if part)


def number(value: float | None, digits: int = 3) -> str:
    """A figure with its decimals, a dash where it is undefined.

    >>> number(0.5), number(None)
    ('0.500', '–')
    >>> number(-0.0001, 2)
    '0.00'
    """
    return "–" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"


def span(low: float | None, high: float | None, digits: int = 3) -> str:
    """An interval, a dash where it is undefined."""
    return "–" if low is None else f"{number(low, digits)} to {number(high, digits)}"


def _agreement(report: Mapping[str, Any]) -> str:
    lines = [
        f"{'Agreement with people':{NAME}} {'n':>5} {'QWK':>6}  {'95% interval':15} {'r':>6} {'exact':>6} {'adj.':>6} "
        f"{'SMD':>6} {'H-H':>6} {'HM-HH':>6}"
    ]
    for task in report["tasks"]:
        several = len(task["criteria"]) > 1
        entries = [(task["task_id"] if several else _whole(task), task)]
        entries += [(f"  {c['criterion_id']}", c) for c in task["criteria"]] if several else []
        lines += [
            f"{_cut(name)} {of['n']:5} {number(of['qwk']):>6}  {span(of['qwk_low'], of['qwk_high']):15} "
            f"{number(of['pearson']):>6} {number(of['exact']):>6} {number(of['adjacent']):>6} {number(of['smd']):>6} "
            f"{number(of['human_qwk']):>6} {number(of['degradation']):>6}"
            for name, of in entries
        ]
    means = report["means"]
    lines.append(
        f"{'mean over tasks':{NAME}} {report['n']:5} {number(report['mean_qwk']):>6}  "
        f"{span(report['mean_qwk_low'], report['mean_qwk_high']):15} {number(means['pearson']):>6} "
        f"{number(means['exact']):>6} {number(means['adjacent']):>6} {number(means['smd']):>6} "
        f"{number(means['human_qwk']):>6} {number(means['degradation']):>6}"
        if means
        else "no response was scored by people"
    )
    lines.append(NOTE)
    return "\n".join(lines)


def _calibration(report: Mapping[str, Any]) -> str:
    means = report["means"]
    if not means:
        return ""
    lines = [
        f"{'Confidence, rare levels':{NAME}} {'PRMSE':>8} {'macro-F1':>9} {'all right':>9} {'ECE':>6} {'Brier':>6} "
        f"{'coverage':>9} {'set size':>9}"
    ]
    for name, of, ece in [
        *((task["task_id"], task, task["ece"]) for task in report["tasks"]),
        ("mean over tasks", means, report["ece"]),
    ]:
        lines.append(
            f"{_cut(name)} {number(of['prmse']):>8} {number(of['macro_f1']):>9} {number(of['exact_match']):>9} "
            f"{number(ece):>6} {number(of['brier']):>6} {number(of['coverage']):>9} {number(of['set_size'], 2):>9}"
        )
    return "\n".join(lines)


def _levels(report: Mapping[str, Any]) -> str:
    if not report["by_level"]:
        return ""
    lines = [f"{'By the level people gave':{NAME}} {'n':>8} {'exact':>9} {'error':>9} {'coverage':>9}"]
    for shape in report["by_level"]:
        criteria = "1 criterion" if shape["criteria"] == 1 else f"{shape['criteria']} criteria"
        scale = f"{shape['points'][0]}–{shape['points'][-1]}, {criteria}"
        for level in shape["levels"]:
            name = f"level {level['level']} of {scale}"
            lines.append(
                f"{_cut(name)} {level['n']:8} {number(level['exact']):>9} {number(level['mean_error']):>9} "
                f"{number(level['coverage']):>9}"
            )
    return "\n".join(lines)


def _groups(report: Mapping[str, Any]) -> str:
    if not report["groups"]:
        return ""
    lines = [f"{'Groups of learners':{NAME}} {'n':>8} {'DSM':>9}  {'95% interval':16} {'exact':>6}"]
    for group in report["groups"]:
        name = f"{group['column']}: {group['value']}"
        lines.append(
            f"{_cut(name)} {group['n']:8} {number(group['dsm']):>9}  {span(group['dsm_low'], group['dsm_high']):16} "
            f"{number(group['exact']):>6}"
        )
    return "\n".join(lines)


def _summary(report: Mapping[str, Any]) -> str:
    said = [judge(task) for task in report["tasks"]]
    lines = [f"{'Usual thresholds':{NAME}} {'bound':>24} {'met':>6} {'missed':>7} {'open':>6}  (tasks)"]
    for standard in STANDARDS:
        counts = Counter(verdicts[standard.figure] for verdicts in said)
        lines.append(f"{standard.label:{NAME}} {standard.rule:>24} {counts[MET]:6} {counts[MISSED]:7} {counts[OPEN]:6}")
    lines += [
        "",
        f"mean QWK over {len(report['tasks'])} tasks {number(report['mean_qwk'])} "
        f"({span(report['mean_qwk_low'], report['mean_qwk_high'])}), Fisher mean {number(report['fisher_qwk'])}, "
        f"{report['n']} responses",
    ]
    return "\n".join(lines)


def _whole(task: Mapping[str, Any]) -> str:
    """A task of one criterion; the criterion's name is shown where it says something."""
    criterion = task["criteria"][0]["criterion_id"]
    return str(task["task_id"]) if criterion == "score" else f"{task['task_id']} / {criterion}"


def _cut(name: str) -> str:
    return f"{name if len(name) <= NAME else name[: NAME - 1] + '…':{NAME}}"
