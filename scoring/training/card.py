"""The model card: what a student was trained on, how well it agrees with people, and its limits."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scoring.domain import Task
from scoring.student.checkpoint import Manifest
from scoring.student.model import Student
from scoring.student.wording_heads import WordingHeads
from scoring.training.config import TrainConfig
from scoring.training.data import Splits
from scoring.training.measures import Agreement
from scoring.training.standards import MET, MISSED, OPEN, STANDARDS, judge
from scoring.training.tables import number, span
from scoring.training.trainer import Trained

INTENDED_USE = (
    "A first score for short written science answers to the tasks below, in English, for an educator who reviews, "
    "confirms or overrides it. Not for grades or placements without a person's decision."
)
LIMITS = (
    "It knows only the tasks and levels listed here.",
    "It reads text alone: drawings, formulas in pictures and tables are not seen.",
    "Blank answers are not meant for it, and an answer beyond the token limit is read only up to it.",
    "An answer that says the opposite in the same words is seldom told from the one that it turns round.",
    "Answers copied from the prompt, written to please the model, or in another language were not studied.",
)

BRIEFLY = ("n", "mean_qwk", "mean_qwk_low", "mean_qwk_high", "fisher_qwk")
"""What is kept of agreement on dev, which flatters."""


def build_card(
    tasks: Mapping[str, Task], splits: Splits, manifest: Manifest, trained: Trained, config: TrainConfig,
    dev: Agreement, val: Agreement, *, data_name: str, data_hash: str, weights_bytes: int,
) -> dict[str, Any]:  # fmt: skip
    """The card as plain values for `card.json`; every number is measured, none is set by hand."""
    student = trained.student
    own = sum(tensor.numel() for tensor in student.own_state().values())
    return {
        "version_id": manifest.version_id,
        "date": datetime.now(UTC).date().isoformat(),
        "code_revision": code_revision(),
        "intended_use": INTENDED_USE,
        "limits": [*LIMITS, fairness_limit(val)],
        "sample_size_statement": sample_size_statement(splits, val),
        "encoder": {"name": manifest.config.encoder, "sha256": manifest.config.encoder_sha256},
        "weights": {"sha256": manifest.weights_sha256, "bytes": weights_bytes, "parameters": own},
        "data": {"name": data_name, "sha256": data_hash},
        "tasks": [
            {
                "id": task.id,
                "title": task.title,
                "criteria": task.scoring_shape(),
                "rows": splits.counts(task.id),
            }
            for task in tasks.values()
        ],
        "training": {
            "config": config.to_json(),
            "seed": config.seed,
            "epochs": len(trained.history),
            "best_epoch": trained.best_epoch,
            "seconds": round(trained.seconds, 1),
        },
        "wording": wording_shares(student),
        "calibration": {"coverage": manifest.calibration.coverage} if manifest.calibration.criteria else None,
        "dev": {name: value for name, value in dev.to_json().items() if name in BRIEFLY},
        "val": val.to_json(),
    }


def wording_shares(student: Student) -> dict[str, float]:
    """Task -> share of what an answer's words say in the score; tasks that are read without wording are left out."""
    found = zip(student.config.task_ids, student.wording, strict=True)
    return {task_id: round(float(heads.share), 3) for task_id, heads in found if isinstance(heads, WordingHeads)}


def fairness_limit(val: Agreement) -> str:
    """What is known about groups of learners, in a sentence."""
    if not val.groups:
        return (
            "Whether it treats groups of learners alike is not known: the held-out responses tell none apart that are "
            "large enough."
        )
    columns = ", ".join(dict.fromkeys(group.column.replace("_", " ") for group in val.groups))
    return (
        f"Groups of learners were compared by {columns} only, as the data names them; "
        "how it treats other groups is not known."
    )


def sample_size_statement(splits: Splits, val: Agreement) -> str:
    """What the number of rows allows to be said."""
    rows = [task.n for task in val.tasks]
    if not rows:
        return "No rows were held out for a report: nothing is known about agreement on new answers."
    smallest, largest = min(rows), max(rows)
    span = f"{smallest}" if smallest == largest else f"{smallest} to {largest}"
    statement = (
        f"Trained on {len(splits.train)} responses and reported on {len(splits.val)} others, {span} per task. "
        f"The {len(splits.dev)} dev responses chose the epoch, so their agreement is flattering; only val is a report. "
    )
    if smallest < 100:
        statement += (
            "With so few responses per task the 95% intervals are wide: a difference inside them is not a finding, "
            "and agreement in another school may differ by more."
        )
    return statement


def card_markdown(card: Mapping[str, Any]) -> str:
    """The same card for people."""
    val = card["val"]
    lines = [
        f"# Student {card['version_id']}",
        "",
        card["intended_use"],
        "",
        f"- Date: {card['date']}; code revision: {card['code_revision']}",
        f"- Encoder: {card['encoder']['name']}, SHA-256 `{card['encoder']['sha256']}` (not in this folder)",
        f"- Own weights: {card['weights']['parameters']:,} parameters, {card['weights']['bytes']:,} bytes",
        f"- Data: {card['data']['name']}, content SHA-256 `{card['data']['sha256']}`",
        f"- Training: seed {card['training']['seed']}, best of {card['training']['epochs']} epochs: "
        f"{card['training']['best_epoch']}, {card['training']['seconds']:.0f} s",
        *_wording(card),
        "",
        "## Agreement with the labels on held-out responses (val)",
        "",
        card["sample_size_statement"],
        "",
        f"Mean QWK over tasks **{number(val['mean_qwk'])}** "
        f"({span(val['mean_qwk_low'], val['mean_qwk_high'])}), "
        f"Fisher mean {number(val['fisher_qwk'])}, {val['n']} responses. Intervals are 95% bootstrap over responses.",
        "",
        *_agreement(val),
        "",
        "r and PRMSE are of the expected score before rounding. A dash is an undefined value: one of the two sides "
        "used a single level, or too little was rated twice.",
        "",
        *_thresholds(val),
        "## Confidence",
        "",
        *_confidence(card),
        "",
        *_levels(val),
        *_groups(val),
        "## Tasks",
        "",
        "| task | title | criteria and levels | train | dev | val |",
        "|---|---|---|---:|---:|---:|",
    ]
    for task in card["tasks"]:
        criteria = "; ".join(f"{c} {levels[0]}–{levels[-1]}" for c, levels in task["criteria"].items())
        rows = task["rows"]
        lines.append(
            f"| {task['id']} | {task['title']} | {criteria} | {rows['train']} | {rows['dev']} | {rows['val']} |"
        )
    lines += ["", "## Limits", "", *(f"- {limit}" for limit in card["limits"])]
    return "\n".join(lines) + "\n"


def _wording(card: Mapping[str, Any]) -> list[str]:
    shares = sorted(set(card.get("wording", {}).values()))
    if not shares:
        return []
    said = f"{shares[0]:.0%}" if shares[0] == shares[-1] else f"{shares[0]:.0%} to {shares[-1]:.0%}"
    tasks = "1 task" if len(card["wording"]) == 1 else f"{len(card['wording'])} tasks"
    return [
        f"- Wording: rare words, pairs and runs of letters alone make {said} of what it says about answers to {tasks}"
    ]


def _agreement(val: Mapping[str, Any]) -> list[str]:
    lines = [
        "| task | criterion | n | QWK | 95% interval | r | exact | adjacent | SMD | PRMSE | two ratings' QWK (n) |",
        "|---|---|---:|---:|---|---:|---:|---:|---:|---:|---|",
    ]
    for task in val["tasks"]:
        for c in task["criteria"]:
            humans = f"{number(c['human_qwk'])} ({c['n_double']})" if c["n_double"] else "–"
            lines.append(
                f"| {task['task_id']} | {c['criterion_id']} | {c['n']} | {number(c['qwk'])} | "
                f"{span(c['qwk_low'], c['qwk_high'])} | {number(c['pearson'])} | {number(c['exact'])} | "
                f"{number(c['adjacent'])} | {number(c['smd'])} | {number(c['prmse'])} | {humans} |"
            )
    return lines


def _thresholds(val: Mapping[str, Any]) -> list[str]:
    if not val["tasks"]:
        return []
    said = [judge(task) for task in val["tasks"]]
    lines = [
        "## Usual thresholds",
        "",
        "Tasks whose whole interval meets a threshold, misses it, or leaves it open (Williamson, Xi & Breyer 2012).",
        "",
        "| figure | threshold | met | missed | not enough evidence |",
        "|---|---|---:|---:|---:|",
    ]
    for standard in STANDARDS:
        counts = Counter(verdicts[standard.figure] for verdicts in said)
        lines.append(f"| {standard.label} | {standard.rule} | {counts[MET]} | {counts[MISSED]} | {counts[OPEN]} |")
    return [*lines, ""]


def _confidence(card: Mapping[str, Any]) -> list[str]:
    val, means = card["val"], card["val"]["means"]
    if not means:
        return ["Nothing was held out to measure it on."]
    lines = [
        f"Calibration error (ECE, bins of equal size) {number(val['ece'])}; perfect calibration would show about "
        f"{number(val['ece_by_chance'])} on so few scores. Brier score {number(means['brier'])}.",
    ]
    if card["calibration"] and means["coverage"] is not None:
        lines += [
            "",
            f"Score sets are made to hold the human level {card['calibration']['coverage']:.0%} of the time. "
            f"On val they hold it {means['coverage']:.1%} of the time, with {means['set_size']:.2f} levels in a set.",
        ]
    return lines


def _levels(val: Mapping[str, Any]) -> list[str]:
    if not val["by_level"]:
        return []
    lines = [
        "## Agreement by score level",
        "",
        "| levels | level | n | exact | mean error, points |",
        "|---|---:|---:|---:|---:|",
    ]
    for shape in val["by_level"]:
        criteria = "1 criterion" if shape["criteria"] == 1 else f"{shape['criteria']} criteria"
        scale = f"{shape['points'][0]}–{shape['points'][-1]} ({criteria})"
        lines += [
            f"| {scale} | {level['level']} | {level['n']} | {number(level['exact'])} | {number(level['mean_error'])} |"
            for level in shape["levels"]
        ]
    return [*lines, ""]


def _groups(val: Mapping[str, Any]) -> list[str]:
    if not val["groups"]:
        return []
    lines = [
        "## Groups of learners",
        "",
        "Difference of standardised means: how much more the machine than people favours a group, in standard "
        "deviations. The usual limit is 0.10 to either side.",
        "",
        "| group | n | difference | 95% interval | exact |",
        "|---|---:|---:|---|---:|",
    ]
    lines += [
        f"| {g['column'].replace('_', ' ')}: {g['value']} | {g['n']} | {number(g['dsm'])} | "
        f"{span(g['dsm_low'], g['dsm_high'])} | {number(g['exact'])} |"
        for g in val["groups"]
    ]
    return [*lines, ""]


def code_revision() -> str:
    """The commit of this checkout, or "unknown" outside one."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return found.stdout.strip() or "unknown"
